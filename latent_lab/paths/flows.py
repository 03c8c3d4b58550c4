"""Invertible maps of a latent space, built on zuko. Each module returns a transform when called."""

from __future__ import annotations

import torch
import zuko
from torch import Tensor, nn
from zuko.flows.coupling import GeneralCouplingTransform
from zuko.nn import MLP
from zuko.transforms import (
    AdditiveTransform,
    ComposedTransform,
    FreeFormJacobianTransform,
    MonotonicAffineTransform,
    RotationTransform,
)


class CouplingFlow(nn.Module):
    r"""A learned rotation, then coupling layers, with an analytic inverse and an exact log-determinant.

    The last layer of each network starts at 0, so that f starts as the rotation and the paths as straight orthogonal
    ones.

    References:
        | Density estimation using Real NVP (Dinh et al., 2016)
        | https://arxiv.org/abs/1605.08803

    Arguments:
        dim: Size D of a latent, at least 2.
        layers: Number of coupling layers; they transform the even and the odd coordinates in turn.
        width: Width of each layer's network, which has two hidden layers.
        affine: True for layers that scale and shift, False for layers that only shift, so that f keeps volumes (NICE).
        rng: Source of the initial values.
    """

    def __init__(
        self, dim: int, layers: int = 4, width: int = 128, affine: bool = True, rng: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if dim < 2 or layers < 1 or width < 1:
            raise ValueError(
                f"flow=coupling needs a latent of at least 2 coordinates, layers and width of at least 1, got {dim}, "
                f"{layers} and {width}"
            )
        self.skew = nn.Parameter(torch.randn(dim, dim, generator=rng) / dim**0.5)
        couplings = [Coupling(dim, i % 2, width, affine) for i in range(layers)]
        self.layers = nn.ModuleList(couplings)
        initialise(self.layers, rng)
        for layer in couplings:
            nn.init.zeros_(layer.hyper[-1].weight)
            nn.init.zeros_(layer.hyper[-1].bias)

    def forward(self) -> ComposedTransform:
        """Return the transform f."""
        return ComposedTransform(RotationTransform(self.skew), *[layer() for layer in self.layers])


class Coupling(GeneralCouplingTransform):  # type: ignore[misc]  # zuko has no types
    """zuko's coupling layer of every second coordinate, with two hidden layers.

    The constructor of zuko reads the values of the mask, which has none on the meta device.

    Arguments:
        dim: Size D of a latent.
        first: The first coordinate that stays, 0 or 1.
        width: Width of the hidden layers.
        affine: True for a layer that scales and shifts, False for one that only shifts.
    """

    def __init__(self, dim: int, first: int, width: int, affine: bool) -> None:
        nn.Module.__init__(self)
        self.univariate, self.shapes = (MonotonicAffineTransform, [(), ()]) if affine else (AdditiveTransform, [()])
        self.total = len(self.shapes)
        self.register_buffer("mask", torch.arange(dim) % 2 == first)
        stay = (dim + 1 - first) // 2
        self.hyper = MLP(stay, (dim - stay) * self.total, hidden_features=(width, width), activation=nn.SiLU)


class ConcatSquash(nn.Module):
    r"""A linear layer gated and shifted by time: :math:`(W x + b)\, \sigma(g t + h) + c t`.

    References:
        | FFJORD: Free-form Continuous Dynamics for Scalable Reversible Generative Models (Grathwohl et al., 2018)
        | https://arxiv.org/abs/1810.01367

    Arguments:
        inner: Size of the input x.
        outer: Size of the output.
    """

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.linear, self.gate, self.drift = (
            nn.Linear(inner, outer),
            nn.Linear(1, outer),
            nn.Linear(1, outer, bias=False),
        )

    def forward(self, t: Tensor, x: Tensor) -> Tensor:
        """Map :math:`(N, I)` at one time to :math:`(N, O)`."""
        t = t.reshape(1, 1)
        return self.linear(x) * self.gate(t).sigmoid() + self.drift(t)


class FFJORDFlow(nn.Module):
    r"""A continuous flow: :math:`f(z) = v(T)` with :math:`\dot v = g(t, v)`, :math:`v(0) = z`.

    References:
        | FFJORD: Free-form Continuous Dynamics for Scalable Reversible Generative Models (Grathwohl et al., 2018)
        | https://arxiv.org/abs/1810.01367

    Arguments:
        dim: Size D of a latent.
        depth: Hidden layers of g; 5 in Deep Curvilinear Editing.
        width: Width of the hidden layers; None is D. 5 layers of width 128 at D = 128 have 101,376 parameters.
        time: Integration time T; 0.1 in the published code.
        atol, rtol: Tolerances of the adaptive Dormand-Prince solver.
        divergence: ``hutchinson`` (one Gaussian probe a solve) or ``exact`` (D times the cost).
        rng: Source of the initial values.
    """

    divergences = ("hutchinson", "exact")
    most_evaluations = 20_000  # of the velocity, by one transform

    def __init__(
        self,
        dim: int,
        depth: int = 5,
        width: int | None = None,
        time: float = 0.1,
        atol: float = 1e-5,
        rtol: float = 1e-5,
        divergence: str = "hutchinson",
        rng: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if divergence not in self.divergences:
            raise ValueError(f"divergence must be one of {self.divergences}, got {divergence!r}")
        if depth < 1 or time <= 0 or min(atol, rtol) <= 0:
            raise ValueError(
                f"depth must be at least 1, time, atol and rtol above 0, got {depth}, {time}, {atol} and {rtol}"
            )
        inner = width or dim
        self.layers = nn.ModuleList(
            ConcatSquash(inner if i else dim, inner if i < depth else dim) for i in range(depth + 1)
        )
        initialise(self.layers, rng)
        self.time, self.atol, self.rtol, self.exact = time, atol, rtol, divergence == "exact"
        self.evaluations = 0

    def velocity(self, t: Tensor, x: Tensor) -> Tensor:
        """Return the velocity :math:`g(t, x)`, with the shape of x.

        Raises:
            FloatingPointError: if it is not finite, or a transform asks for it more than 20,000 times.
        """
        *hidden, last = self.layers
        for layer in hidden:
            x = layer(t, x).tanh()
        x = last(t, x)
        # the solver shortens its step for ever when it meets nan, or a tolerance below the rounding
        self.evaluations += 1
        if self.evaluations > self.most_evaluations or not x.isfinite().all():
            reason = (
                f"{self.evaluations} evaluations at atol={self.atol}, rtol={self.rtol}"
                if x.isfinite().all()
                else "its velocity is not finite"
            )
            raise FloatingPointError(
                f"flow=ffjord cannot be solved: {reason}; try larger tolerances, a smaller flow.time or method.lr_paths"
            )
        return x

    def forward(self) -> FreeFormJacobianTransform:
        """Return the transform f."""
        self.evaluations = 0
        return FreeFormJacobianTransform(
            self.velocity, 0.0, self.time, tuple(self.parameters()), self.atol, self.rtol, self.exact
        )


def initialise(modules: nn.Module, rng: torch.Generator | None) -> None:
    r"""Draw the parameters of all linear layers from :math:`U(-1/\sqrt{n}, 1/\sqrt{n})` for n inputs, as torch and zuko
    do, but from ``rng``."""
    for module in modules.modules():
        if isinstance(module, nn.Linear | zuko.nn.Linear):
            bound = module.in_features**-0.5
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=rng)
