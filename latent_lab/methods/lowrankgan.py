"""LowRankGAN: directions that change a region, less what changes the rest."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.methods.regional import Regional


def robust_pca(
    matrix: Tensor, weight: float, tolerance: float = 1e-7, iterations: int = 10000
) -> tuple[Tensor, Tensor]:
    r"""Split a symmetric matrix into :math:`M = L + S` of low rank and sparse, with least :math:`\|L\|_* + \lambda
    \|S\|_1`.

    The method is that of alternating directions of multipliers with :math:`\mu = n^2 / (4 \|M\|_1)`, until :math:`\|L +
    S - M\|_F \le \text{tolerance} \cdot \|M\|_F`. L stays symmetric, so that eigenvalues are thresholded.

    References:
        | Robust Principal Component Analysis? (Candès et al., 2011), Algorithm 1
        | https://arxiv.org/abs/0912.3599

    Raises:
        RuntimeError: It did not converge.
    """
    if not matrix.any():
        return matrix.clone(), matrix.clone()
    mu = matrix.numel() / (4 * matrix.abs().sum())
    sparse, dual = torch.zeros_like(matrix), torch.zeros_like(matrix)
    for _ in range(iterations):
        values, vectors = torch.linalg.eigh(matrix - sparse + dual / mu)
        low = (vectors * torch.nn.functional.softshrink(values, (1 / mu).item())) @ vectors.mT
        sparse = torch.nn.functional.softshrink(matrix - low + dual / mu, (weight / mu).item())
        rest = matrix - low - sparse
        dual = dual + mu * rest
        if torch.linalg.matrix_norm(rest) <= tolerance * torch.linalg.matrix_norm(matrix):
            return low, sparse
    raise RuntimeError(
        f"robust PCA did not converge in {iterations} iterations; change method.sparsity, which is {weight:g}"
    )


def find_principal_space(metric: Tensor, sparsity: float) -> tuple[Tensor, int]:
    """Return the eigenvectors of the metric's low-rank part as columns, largest first, and its rank."""
    low, _ = robust_pca(metric, sparsity / len(metric) ** 0.5)
    values, vectors = torch.linalg.eigh(low)
    order = values.abs().argsort(descending=True)
    return vectors[:, order], int(torch.linalg.matrix_rank(low, hermitian=True))


class LowRankGAN(Regional):
    r"""Principal directions of a region's low-rank Jacobian, projected on the null space of the rest's.

    .. math:: J_f^\top J_f = L_f + S_f, \quad J_b^\top J_b = L_b + S_b, \qquad n_k = B B^\top v_k / \|B B^\top v_k\|

    with eigenvectors :math:`v_k` of :math:`L_f` and the columns of B a basis of the null space of :math:`L_b`. An
    amount of 1 is a length of 1 in the latent (in w+ in each edited row). The paths are as many as the rank of
    :math:`L_f`, at most ``num_paths``.

    References:
        | Low-Rank Subspaces in GANs (Zhu et al., 2021), Section 3.2 and 3.3
        | https://arxiv.org/abs/2106.04488

    Arguments:
        sparsity: Weight of the sparse part in units of :math:`1 / \sqrt{D}`; the published code's 1/60 at D = 512 is
            0.38.
        relax: Weakest directions of :math:`L_b` that may change the rest too, and count as its null space.
        options: See :class:`latent_lab.methods.regional.Regional`.
    """

    def __init__(self, sparsity: float, relax: int = 0, **options) -> None:
        super().__init__(**options)
        if sparsity <= 0 or relax < 0:
            raise ValueError(f"method.sparsity must be above 0 and relax at least 0, got {sparsity} and {relax}")
        self.sparsity, self.relax = sparsity, relax

    def find_directions(self, foreground: Tensor, background: Tensor) -> Tensor:
        """Return the projected directions as columns.

        Raises:
            ValueError: The region's metric has no part of low rank, or the rest of the image no null space.
        """
        principal, rank = find_principal_space(foreground, self.sparsity)
        rest, occupied = find_principal_space(background, self.sparsity)
        null = rest[:, max(occupied - self.relax, 0) :]
        if not rank:
            raise ValueError(
                f"method.sparsity must leave the region's metric a part of low rank, got {self.sparsity}; "
                "try a larger one"
            )
        projected = null @ (null.mT @ principal[:, :rank])
        lengths = torch.linalg.vector_norm(projected, dim=0)
        if not (lengths > 1e-3).any():
            raise ValueError(
                "method.relax must leave the rest of the image a null space: "
                f"{occupied} of {len(rest)} directions change it, got relax={self.relax}"
            )
        return (projected / lengths)[:, lengths > 1e-3]
