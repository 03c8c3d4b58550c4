"""Straight paths whose directions are those of the image that is edited: ReSeFa per image, the local basis."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.errors import NotApplicable
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.gans.styled import StyleGenerator
from latent_lab.ops.region import region_metrics
from latent_lab.paths.base import Paths
from latent_lab.paths.linear import fix_signs


class LocalPaths(Paths):
    r"""Paths along directions that are found where the edits of an image start.

    .. math:: z' = z + \varepsilon\, n_k(z_0)

    :meth:`anchor` adds the directions at :math:`z_0` to what the codes have given, so that they stay the same over a
    sequence of edits and go wherever the codes go. An amount of 1 is a length of 1 in the latent (in w+ in each edited
    row).

    Arguments:
        dim: Size D of a latent.
        num_paths: Number K of paths, at most D.
        layers: Rows of w+ that are edited; None where latents are vectors.
    """

    def __init__(self, dim: int, num_paths: int, layers: Sequence[int] | None = None) -> None:
        super().__init__(dim, num_paths)
        if num_paths > dim:
            raise ValueError(f"num_paths must be at most the latent's size {dim}, got {num_paths}")
        self.layers = None if layers is None else list(layers)

    @abstractmethod
    def directions(self, space: LatentSpace, codes: Codes) -> Tensor:
        """Return the unit vectors at one code as columns :math:`(D, K)`, best first."""

    @torch.no_grad()
    def anchor(self, space: LatentSpace, codes: Codes) -> Codes:
        found = [self.directions(space, codes.select(slice(n, n + 1)))[:, : self.num_paths] for n in range(len(codes))]
        return codes.with_given(directions=fix_signs(torch.stack(found)).mT.to(codes.latents))

    def shift(self, latents: Tensor, k: Tensor, eps: Tensor, given: dict[str, Tensor] | None = None) -> Tensor:
        """Return latents after edits along the paths; ``given`` is that of anchored codes, see :meth:`Paths.shift`."""
        if given is None or "directions" not in given:
            raise ValueError(
                "given must hold the directions of local paths: take codes = paths.anchor(space, codes), "
                "and their codes.given"
            )
        return super().shift(latents, given["directions"][torch.arange(len(k), device=k.device), k], eps)

    def _shift(self, latents: Tensor, directions: Tensor, eps: Tensor) -> Tensor:
        """A step along directions :math:`(N, D)`, one for each latent, in place of the paths' numbers."""
        step = eps[:, None] * directions.to(latents)
        if self.layers is None:
            return latents + step
        rows = torch.tensor(self.layers, device=latents.device)
        return latents.index_add(1, rows, step[:, None].expand(-1, len(rows), -1))


class LocalBasisPaths(LocalPaths):
    r"""The local basis of w: left singular vectors of the mapping's Jacobian, largest singular value first.

    .. math:: \partial w / \partial z = \sum_k \sigma_k\, n_k v_k^\top

    They span the directions in which samples near this one vary. The paper has no average of them over the space (w is
    warped, so that a global basis is limited); there is none here.

    References:
        | Do Not Escape From the Manifold: Discovering the Local Coordinates on the Latent Space of GANs (Choi et al.,
          2022), Section 3
        | https://arxiv.org/abs/2106.06959

    Example:
        >>> from latent_lab.gans.stylegan2 import StyleGAN2
        >>> space = StyleGAN2(latent_dim=8, style_dim=8, widths=(8, 4), mapping_layers=2).space("w")
        >>> paths = LocalBasisPaths(dim=8, num_paths=3)
        >>> start = paths.anchor(space, space.sample(1, torch.Generator().manual_seed(0)))
        >>> shifted = paths.shift(start.latents, torch.tensor([2]), torch.tensor([0.5]), start.given)
        >>> round((shifted - start.latents).norm().item(), 4)
        0.5
    """

    def directions(self, space: LatentSpace, codes: Codes) -> Tensor:
        if not isinstance(space.generator, StyleGenerator) or space.name == "z":
            raise NotApplicable(
                "method=local_basis needs a generator with a mapping and gan.space=w or w+, "
                f"got a {type(space.generator).__name__} in space {space.name}"
            )
        if "z" not in codes.given:
            raise ValueError(
                "codes must come from samples for method=local_basis, which needs the z that they are mapped from"
            )
        z, label = codes.given["z"], codes.given.get("label")
        mapping = space.generator.mapping
        jacobian = torch.func.jacfwd(lambda moved: mapping(moved, label)[0])(z)[:, 0]
        return torch.linalg.svd(jacobian.double(), full_matrices=True).U


class RegionalPaths(LocalPaths):
    """Directions that change a region of one image most and the rest least: ReSeFa, see
    :class:`latent_lab.methods.resefa.ReSeFa`.

    Arguments:
        dim, num_paths, layers: See :class:`LocalPaths`.
        resolution: Pixels of the mask's side, which is a tensor of the paths.
        tau: Regulariser, see :func:`generalised_directions`.
        chunk: Jacobian products made at once.
    """

    mask: Tensor

    def __init__(
        self, dim: int, num_paths: int, layers: Sequence[int] | None, resolution: int, tau: float, chunk: int
    ) -> None:
        super().__init__(dim, num_paths, layers)
        self.tau, self.chunk = tau, chunk
        self.register_buffer("mask", torch.zeros(resolution, resolution))

    def directions(self, space: LatentSpace, codes: Codes) -> Tensor:
        masks = torch.stack([self.mask, 1 - self.mask])[None]
        _, metrics = region_metrics(space, codes, masks, self.layers, None, torch.Generator(), self.chunk)
        foreground, background = metrics
        return generalised_directions(foreground, background, self.tau)


def generalised_directions(foreground: Tensor, background: Tensor, tau: float) -> Tensor:
    r"""Return unit vectors n as columns :math:`(M, M)` with :math:`A n = \lambda (B + \tau \tfrac{\operatorname{tr}
    B}{M} I) n`, largest :math:`\lambda` first.

    By a Cholesky factor L of the right-hand matrix, :math:`L^{-1} A L^{-\top} y = \lambda y,\ n = L^{-\top} y`:
    symmetric, unlike the published inverse, so that the eigenvalues are real and sorted.

    Arguments:
        foreground, background: Symmetric matrices A and B, with shape :math:`(M, M)`.
        tau: Regulariser :math:`\tau`, at least 0.

    Raises:
        ValueError: if the right-hand matrix is singular.
    """
    mean = background.diagonal().mean()
    regularised = background + tau * mean * torch.eye(len(background), dtype=background.dtype, device=background.device)
    spectrum = torch.linalg.eigvalsh(regularised)
    if not spectrum[0] > 1e-9 * spectrum[-1]:
        reason = (
            "nothing changes outside the region"
            if not mean > 0
            else "some directions do not change what is outside the region"
        )
        raise ValueError(
            f"method.tau must be above 0 where {reason} (J_b^T J_b is singular), and that must change at all; "
            f"got tau={tau}"
        )
    factor = torch.linalg.cholesky(regularised)
    half = torch.linalg.solve_triangular(factor, foreground, upper=False)
    whole = torch.linalg.solve_triangular(factor, half.mT, upper=False)
    vectors = torch.linalg.eigh((whole + whole.mT) / 2).eigenvectors.flip(1)
    return F.normalize(torch.linalg.solve_triangular(factor.mT, vectors, upper=True), dim=0)
