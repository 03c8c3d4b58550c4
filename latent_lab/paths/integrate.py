"""Walking along a field of directions: the integrator of every path that is a flow."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 100_000  # of a walk; a file may say how long a step is


def require_few(counts: Tensor, step: float) -> None:
    """An error where walks of these numbers of steps :math:`(N,)` would have no end."""
    if len(counts) and not counts.max() <= STEPS:
        raise ValueError(
            f"step must be such that an edit takes at most {STEPS} of them, got {step}, "
            f"of which it would take {counts.max():.0f}"
        )


def walk(field: Callable[[Tensor], Tensor], latents: Tensor, eps: Tensor, step: float, integrator: str) -> Tensor:
    r"""Solves :math:`\dot z = \mathrm{field}(z)` for the signed amounts ``eps`` :math:`(N,)`, in equal steps of at most
    ``step``.

    Each sample takes the steps that its own amount needs, so that results do not depend on the batch.

    Arguments:
        field: Takes latents :math:`(N, D)`, returns velocities :math:`(N, D)`.
        integrator: ``euler`` or ``rk4``.
    """
    # 1e-4: an amount of exactly n steps must not take n + 1 because of its rounding
    counts = (eps.abs() / step - 1e-4).ceil().clamp_min(1)
    require_few(counts, step)
    size = (eps / counts)[:, None]
    for done in range(int(counts.max()) if len(counts) else 0):
        h = torch.where((done < counts)[:, None], size, torch.zeros_like(size))
        if integrator == "euler":
            latents = latents + h * field(latents)
        else:
            k1 = field(latents)
            k2 = field(latents + h / 2 * k1)
            k3 = field(latents + h / 2 * k2)
            k4 = field(latents + h * k3)
            latents = latents + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return latents
