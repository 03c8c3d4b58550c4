"""The integrator of every path that follows a field of directions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 100_000  # of a walk; a file may say how long a step is


def require_few(counts: Tensor, step: float) -> None:
    """Raise an error where walks would take more than 100,000 steps.

    Arguments:
        counts: Numbers of steps, with shape :math:`(N,)`.
        step: Length of a step, for the message.
    """
    if len(counts) and not counts.max() <= STEPS:
        raise ValueError(
            f"step must be such that an edit takes at most {STEPS} of them, got {step}, "
            f"of which it would take {counts.max():.0f}"
        )


def walk(field: Callable[[Tensor], Tensor], latents: Tensor, eps: Tensor, step: float, integrator: str) -> Tensor:
    r"""Solve :math:`\dot z = \mathrm{field}(z)` in equal steps, and return the last latents :math:`(N, D)`.

    Each sample takes the steps that its own amount needs, so that results do not depend on the batch.

    Arguments:
        field: Takes latents :math:`(N, D)`, returns velocities :math:`(N, D)`.
        latents: The first latents, with shape :math:`(N, D)`.
        eps: Signed amounts, with shape :math:`(N,)`.
        step: Longest step.
        integrator: ``euler`` or ``rk4``.

    Example:
        >>> walk(lambda z: -z, torch.ones(1, 1), torch.ones(1), step=0.1, integrator="rk4")  # exp(-1)
        tensor([[0.3679]])
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
