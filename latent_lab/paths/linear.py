"""Straight paths: LinearGANSpace."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latent_lab.paths.base import Paths


class LinearPaths(Paths):
    r"""Paths along the columns of a matrix.

    .. math:: z' = z + \varepsilon A e_k

    ``orthogonal``: :math:`A = \exp(M - M^\top)`, its first K columns; ``projective``: columns rescaled to unit length;
    ``free``: any matrix.

    References:
        | Unsupervised Discovery of Interpretable Directions in the GAN Latent Space (Voynov & Babenko, 2020), Section 3
        | https://arxiv.org/abs/2002.03754

    Arguments:
        dim: Size D of a latent.
        num_paths: Number K of paths; at most D when orthogonal.
        kind: ``orthogonal``, ``projective`` or ``free``.
        init: Standard deviation of the initial M, or of the noise on the initial unit matrix of the other kinds.
        rng: Source of the initial values.

    Example:
        >>> paths = LinearPaths.along(torch.tensor([[0.0, 2.0], [1.0, 0.0]]))
        >>> paths.shift(torch.zeros(2, 2), torch.tensor([0, 1]), torch.tensor([3.0, -1.0]))
        tensor([[ 0.,  3.],
                [-2.,  0.]])
    """

    kinds = ("orthogonal", "projective", "free")
    unrecorded = ("init", "rng")

    def __init__(
        self, dim: int, num_paths: int, kind: str = "orthogonal", init: float = 1.0, rng: torch.Generator | None = None
    ) -> None:
        super().__init__(dim, num_paths)
        if kind not in self.kinds:
            raise ValueError(f"kind must be one of {self.kinds}, got {kind!r}")
        if kind == "orthogonal" and num_paths > dim:
            raise ValueError(
                f"num_paths must be at most the latent's size {dim} when kind='orthogonal', got {num_paths}; "
                "use kind='projective' or 'free'"
            )
        if num_paths > dim and init <= 0:
            raise ValueError(
                f"init must be above 0 with more paths than the {dim} coordinates, whose directions would be 0, "
                f"got {init}"
            )
        self.kind = kind
        if kind == "orthogonal":
            self.weight = nn.Parameter(init / dim**0.5 * torch.randn(dim, dim, generator=rng))
        else:
            self.weight = nn.Parameter(
                torch.eye(dim, num_paths) + init / dim**0.5 * torch.randn(dim, num_paths, generator=rng)
            )

    @classmethod
    def along(cls, directions: Tensor) -> LinearPaths:
        """Return frozen paths along the columns of a matrix :math:`(D, K)`; an amount of 1 is a column's length."""
        dim, num_paths = directions.shape
        paths = cls(dim, num_paths, "free", rng=torch.Generator()).requires_grad_(False)
        paths.weight.copy_(directions)
        return paths.to(directions.device)

    def matrix(self) -> Tensor:
        """Return the directions A, with shape :math:`(D, K)`."""
        if self.kind == "orthogonal":
            return torch.linalg.matrix_exp(self.weight - self.weight.mT)[:, : self.num_paths]
        if self.kind == "projective":
            return self.weight / torch.linalg.vector_norm(self.weight, dim=0)
        return self.weight

    @property
    def straight(self) -> bool:
        return True

    def coordinates(self, latents: Tensor) -> Tensor:
        """Return the coordinates :math:`A^+ z`, with shape :math:`(N, K)`."""
        return latents @ torch.linalg.pinv(self.matrix()).mT

    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        return latents + eps[:, None] * self.matrix().mT[k]


def fix_signs(directions: Tensor) -> Tensor:
    r"""Return directions, the columns of :math:`(\dots, D, K)`, with the signs at which their largest entries are
    positive.

    The sign of an eigenvector is arbitrary, while that of a run must repeat.

    Example:
        >>> fix_signs(torch.tensor([[0.6], [-0.8]]))
        tensor([[-0.6000],
                [ 0.8000]])
    """
    return directions * directions.gather(-2, directions.abs().argmax(-2, keepdim=True)).sign()
