"""Paths along learned fields of unit speed: NeuralODEs in the latent space."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.paths.base import Paths
from latent_lab.paths.integrate import walk


class NeuralODEPaths(Paths):
    r"""Non-linear paths along a field that is a small network for each of them.

    .. math:: \dot z = f_k(z) / \|f_k(z)\|, \qquad f_k = r_L \circ \sigma \circ \dots \circ \sigma \circ r_1, \quad
        r_i(z) = z + W_{ki} z + b_{ki}

    :math:`\sigma` is the leaky rectifier of slope 0.2. One unit of an amount is one unit of length along the path, also
    where it is curved. The field does not depend on time: an edit is undone by the opposite amount, up to the
    integrator's error.

    References:
        | Latent Transformations via NeuralODEs for GAN-based Image Editing (Khrulkov et al., 2021), Section 3
        | https://arxiv.org/abs/2111.14825

    Arguments:
        dim: Size D of a latent.
        num_paths: Number K of paths.
        depth: Number L of residual layers of a field.
        step: Longest step of the Runge-Kutta integrator, in units of latent length.
        rng: Source of the initial values, those of linear layers of torch.

    Example:
        >>> paths = NeuralODEPaths(dim=4, num_paths=2, step=0.1, rng=torch.Generator().manual_seed(0))
        >>> latents, k, eps = torch.ones(1, 4), torch.tensor([1]), torch.tensor([0.5])
        >>> there = paths.shift(latents, k, eps)
        >>> torch.allclose(paths.shift(there, k, -eps), latents, atol=1e-4)
        True
    """

    def __init__(
        self, dim: int, num_paths: int, depth: int = 1, step: float = 1.0, rng: torch.Generator | None = None
    ) -> None:
        super().__init__(dim, num_paths)
        if depth < 1 or step <= 0:
            raise ValueError(f"depth must be at least 1 and step above 0, got {depth} and {step}")
        self.step = step
        bound = dim**-0.5
        self.weights = nn.Parameter(bound * (2 * torch.rand(num_paths, depth, dim, dim, generator=rng) - 1))
        self.biases = nn.Parameter(bound * (2 * torch.rand(num_paths, depth, dim, generator=rng) - 1))

    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        weights, biases = self.weights[k], self.biases[k]

        def field(z: Tensor) -> Tensor:
            for i in range(weights.shape[1]):
                z = F.leaky_relu(z, 0.2) if i else z
                z = z + torch.einsum("nij,nj->ni", weights[:, i], z) + biases[:, i]
            return F.normalize(z, dim=1)

        return walk(field, latents, eps, self.step, "rk4")
