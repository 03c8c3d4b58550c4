"""Paths along the gradients of radial basis functions: WarpedGANSpace."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from latent_lab.paths.base import Paths
from latent_lab.paths.integrate import walk


class RBFPaths(Paths):
    r"""Non-linear paths along the normalised gradients of RBF warpings.

    .. math:: \dot z = \nabla f_k(z) / \|\nabla f_k(z)\|, \qquad f_k(z) = \sum_i \alpha_i \exp(-\gamma_k \|z -
        s_{ki}\|^2)

    The weights :math:`\alpha` of a dipole's two support vectors are 1 and -1. An amount beyond one ``step`` is
    integrated in equal steps; each sample takes the steps that its own amount needs, so results do not depend on the
    batch.

    References:
        | WarpedGANSpace: Finding non-linear RBF paths in GAN latent space (Tzelepis et al., 2021), Eq. 3-5
        | https://arxiv.org/abs/2109.13357

    Arguments:
        dim: Size D of a latent.
        num_paths: Number K of paths.
        num_dipoles: Pairs of opposite support vectors of each path.
        step: Longest step of the integrator, in units of latent length.
        integrator: ``euler`` or ``rk4``.
        learn_gammas: True for paths that learn their widths :math:`\gamma_k`, which start at 1 / D.
        rng: Source of the initial support vectors.

    Example:
        >>> paths, z = RBFPaths(dim=4, num_paths=2), torch.zeros(1, 4)
        >>> moved = paths.shift(z, torch.tensor([0]), torch.tensor([0.25]))  # one step, of that length
        >>> torch.linalg.vector_norm(moved - z, dim=1)
        tensor([0.2500], grad_fn=<LinalgVectorNormBackward0>)
    """

    alphas: Tensor

    integrators = ("euler", "rk4")

    def __init__(
        self,
        dim: int,
        num_paths: int,
        num_dipoles: int = 128,
        step: float = 0.25,
        integrator: str = "euler",
        learn_gammas: bool = True,
        rng: torch.Generator | None = None,
    ) -> None:
        super().__init__(dim, num_paths)
        if integrator not in self.integrators:
            raise ValueError(f"integrator must be one of {self.integrators}, got {integrator!r}")
        if num_dipoles < 1 or step <= 0:
            raise ValueError(f"num_dipoles must be at least 1 and step above 0, got {num_dipoles} and {step}")
        self.step, self.integrator = step, integrator
        # one radius for each path, from 1 to 4, so that the paths start different
        radii = 1 + 3 * torch.arange(num_paths) / num_paths
        ends = (
            nn.functional.normalize(torch.randn(num_paths, num_dipoles, dim, generator=rng), dim=-1)
            * radii[:, None, None]
        )
        self.supports = nn.Parameter(torch.stack([ends, -ends], 2).flatten(1, 2))  # (K, 2 dipoles, D)
        self.log_gammas = nn.Parameter(torch.full((num_paths,), -math.log(dim)), requires_grad=learn_gammas)
        self.register_buffer("alphas", torch.tensor([1.0, -1.0]).repeat(num_dipoles), persistent=False)

    def warping(self, latents: Tensor, k: Tensor) -> Tensor:
        """Return the warpings :math:`f_k(z)`, with shape :math:`(N,)`."""
        distances = (latents[:, None] - self.supports[k]).square().sum(-1)
        return (self.alphas * torch.exp(-self.log_gammas[k].exp()[:, None] * distances)).sum(-1)

    def direction(self, latents: Tensor, k: Tensor) -> Tensor:
        """Return the unit vectors along the gradients of the warpings, with shape :math:`(N, D)`; 0 where a gradient is
        0."""
        return self._direction(latents, self.supports[k], self.log_gammas[k].exp()[:, None])

    def _direction(self, latents: Tensor, supports: Tensor, gammas: Tensor) -> Tensor:
        # |z - s|^2 and the weighted sum of (z - s) as matrix products: the differences (N, 2 dipoles, D) are never
        # stored
        distances = (
            latents.square().sum(-1, keepdim=True)
            + supports.square().sum(-1)
            - 2 * torch.einsum("nd,nsd->ns", latents, supports)
        )
        exponents = -gammas * distances
        # only the direction counts: taking the largest exponent out cannot underflow, however far the supports are
        weights = self.alphas * torch.exp(exponents - exponents.detach().amax(-1, keepdim=True))
        gradient = torch.einsum("ns,nsd->nd", weights, supports) - weights.sum(-1, keepdim=True) * latents
        # the largest weight is 1, so that a gradient this small is rounding: 0 must not become a random direction
        return gradient * gradient.square().sum(-1, keepdim=True).clamp_min(1e-12).rsqrt()

    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        supports, gammas = self.supports[k], self.log_gammas[k].exp()[:, None]
        return walk(lambda z: self._direction(z, supports, gammas), latents, eps, self.step, self.integrator)
