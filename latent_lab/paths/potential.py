"""Paths down the gradients of potentials that change with time: potential flows."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.paths.base import Paths

NAMES = tuple(
    f"{layer}{part}" for layer in ("inner", "time", "time_outer", "fusion", "outer") for part in ("", "_bias")
)


class PotentialPaths(Paths):
    r"""Non-linear paths along the gradient of a potential, which is a small network for each of them.

    .. math:: \dot z = \pm \nabla_z u_k(z, |t|), \qquad u_k(z, t) = o\big(w_k^\top \tanh(B_k (\tanh(A_k z + a_k) +
        \theta_k(t)) + b_k) + c_k\big)

    with :math:`\theta` a two-layer network of a sinusoidal embedding of t and o the hyperbolic tangent. An amount is a
    time, and its sign that of the gradient: one unit is one of the paper's time steps, taken as it takes them, by
    Euler, as far as the gradient is long. After the last step that they were trained on the potentials stand still.

    References:
        | Latent Traversals in Generative Models as Potential Flows (Song et al., 2023), Section 3
        | https://arxiv.org/abs/2304.12944

    Arguments:
        dim: Size D of a latent, at least 4.
        num_paths: Number K of paths.
        times: Number T of time steps that the potentials are trained on.
        bounded: True for the hyperbolic tangent as o, False for none, as in the paper's W of StyleGAN2, where changes
            would be too small.
        rng: Source of the initial values, those of linear layers of torch.

    Example:
        >>> paths = PotentialPaths(dim=4, num_paths=2, rng=torch.Generator().manual_seed(0))
        >>> paths.shift(torch.zeros(3, 4), torch.tensor([0, 1, 1]), torch.tensor([2.0, -2.0, 0.0])).norm(dim=1) > 0
        tensor([ True,  True, False])
    """

    rates: Tensor

    def __init__(
        self, dim: int, num_paths: int, times: int = 5, bounded: bool = True, rng: torch.Generator | None = None
    ) -> None:
        super().__init__(dim, num_paths)
        if dim < 4 or times < 2:
            raise ValueError(f"dim must be at least 4 and times at least 2, got {dim} and {times}")
        self.times, self.bounded = times, bounded

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(dim**-0.5 * (2 * torch.rand(num_paths, *shape, generator=rng) - 1))

        even = dim // 2 * 2  # sine and cosine come in pairs
        self.inner, self.inner_bias = uniform(dim, dim), uniform(dim)
        self.time, self.time_bias, self.time_outer, self.time_outer_bias = (
            uniform(dim, even),
            uniform(dim),
            uniform(dim, dim),
            uniform(dim),
        )
        self.fusion, self.fusion_bias = uniform(dim, dim), uniform(dim)
        self.outer, self.outer_bias = uniform(dim), uniform()
        rates = torch.exp(-math.log(10_000) / (even // 2 - 1) * torch.arange(even // 2)) if even > 2 else torch.ones(1)
        self.register_buffer("rates", rates, persistent=False)

    def potentials(self, k: Tensor) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        r"""Return the function of the potentials of paths k :math:`(N,)`.

        It takes latents :math:`(N, D)` and times :math:`(N,)`, and returns :math:`u_k(z, t)` :math:`(N,)` and its
        gradient :math:`\nabla_z u_k` :math:`(N, D)`.
        """
        inner, inner_bias, time, time_bias, time_outer, time_outer_bias, fusion, fusion_bias, outer, outer_bias = (
            getattr(self, name).index_select(0, k) for name in NAMES
        )

        def times(matrix: Tensor, x: Tensor) -> Tensor:
            return torch.einsum("nij,nj->ni", matrix, x)

        def potential(latents: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            phase = t[:, None] * self.rates
            moment = F.gelu(times(time, torch.cat([phase.sin(), phase.cos()], 1)) + time_bias)
            first = (times(inner, latents) + inner_bias).tanh()
            second = (times(fusion, first + times(time_outer, moment) + time_outer_bias) + fusion_bias).tanh()
            value = (outer * second).sum(1) + outer_bias
            # the chain rule by hand: an edit needs no automatic differentiation, and its training one order less
            gradient = times(inner.mT, times(fusion.mT, outer * (1 - second.square())) * (1 - first.square()))
            if self.bounded:
                value = value.tanh()
                gradient = (1 - value.square())[:, None] * gradient
            return value, gradient

        return potential

    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        potential = self.potentials(k)
        # whole units, then the rest: an edit of 1.5 begins as one of 1 does
        for done in range(max(1, math.ceil(eps.abs().max().item()))):
            size = eps.clamp(-done - 1, done + 1)
            size = size - eps.clamp(-done, done) if done else size  # without it: the speed at an amount of 0
            _, gradient = potential(latents, torch.full_like(eps, min(done, self.times - 1)))
            latents = latents + size[:, None] * gradient
        return latents
