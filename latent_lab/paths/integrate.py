"""Walking along a field of directions: the integrator of every path that is a flow."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def walk(field: Callable[[Tensor, Tensor], Tensor], latents: Tensor, eps: Tensor, step: float, integrator: str) -> Tensor:
    r"""Solves :math:`\dot z = \mathrm{field}(z, t)` from amount t = 0 to ``eps`` :math:`(N,)`, each of its sign, in equal steps of at most ``step``.

    Each sample takes the steps that its own amount needs, so that results do not depend on the batch.

    Arguments:
        field: Takes latents :math:`(N, D)` and signed amounts :math:`(N,)`, returns velocities :math:`(N, D)`.
        integrator: ``euler`` or ``rk4``.
    """
    # 1e-4: an amount of exactly n steps must not take n + 1 because of its rounding
    counts = (eps.abs() / step - 1e-4).ceil().clamp_min(1)
    size = eps / counts
    for done in range(int(counts.max()) if len(counts) else 0):
        t, h = done * size, torch.where(done < counts, size, torch.zeros_like(size))
        k1 = field(latents, t)
        if integrator == "euler":
            latents = latents + h[:, None] * k1
            continue
        k2 = field(latents + h[:, None] / 2 * k1, t + h / 2)
        k3 = field(latents + h[:, None] / 2 * k2, t + h / 2)
        k4 = field(latents + h[:, None] * k3, t + h)
        latents = latents + h[:, None] / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return latents
