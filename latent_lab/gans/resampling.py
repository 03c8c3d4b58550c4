"""Filtered resampling without the zeros: each output phase has its own part of the filter."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def phases(kernel: Tensor, up: int, low: int) -> tuple[Tensor, int]:
    """The filter's part for each of ``up`` output phases, with shape :math:`(up, J)`, and where the first tap reads."""
    starts = [(low - p) % up for p in range(up)]
    offsets = [(p + start - low) // up for p, start in enumerate(starts)]
    first = min(offsets)
    taps = max(offset - first + len(kernel[start::up]) for offset, start in zip(offsets, starts))
    table = kernel.new_zeros(up, taps)
    for p, (start, offset) in enumerate(zip(starts, offsets)):
        part = kernel[start::up]
        table[p, offset - first : offset - first + len(part)] = part
    return table, first


def upsample_rows(x: Tensor, kernel: Tensor, up: int, low: int, high: int) -> Tensor:
    """Rows of :math:`(N, C, H, W)`: ``up - 1`` zeros after each, padded, filtered; no zero is ever multiplied."""
    length = x.shape[2] * up + low + high - len(kernel) + 1
    table, first = phases(kernel.flip(0) * up, up, low)
    steps, taps, channels = -(-length // up), table.shape[1], x.shape[1]
    x = F.pad(x, (0, 0, -first, steps + taps - 1 + first - x.shape[2]))
    x = F.conv2d(x, table[:, None, :, None].repeat(channels, 1, 1, 1), groups=channels)  # (N, C up, steps, W)
    return x.unflatten(1, (channels, up)).transpose(2, 3).flatten(2, 3)[:, :, :length]


def upsample(x: Tensor, kernel: Tensor | None, up: int, padding: tuple[int, int]) -> Tensor:
    """Both axes of :math:`(N, C, H, W)` upsampled by ``up`` with the separable ``kernel``, padded by ``padding`` at each end.

    The same numbers as zero-insertion, zero-padding and a convolution with the gain ``up`` an axis.
    """
    if kernel is None:
        return F.pad(x, (*padding, *padding))
    x = upsample_rows(x, kernel, up, *padding)
    return upsample_rows(x.transpose(2, 3), kernel, up, *padding).transpose(2, 3)


def decimate(x: Tensor, kernel: Tensor | None, down: int) -> Tensor:
    """Filtered by ``kernel`` (separable, or a plane) and every ``down``-th kept; nothing else is computed."""
    channels = x.shape[1]
    if kernel is None:
        return x[:, :, ::down, ::down]
    if kernel.ndim == 2:
        return F.conv2d(x, kernel.flip(0, 1).expand(channels, 1, -1, -1), stride=down, groups=channels)
    kernel = kernel.flip(0).expand(channels, 1, 1, -1)
    return F.conv2d(F.conv2d(x, kernel, stride=(1, down), groups=channels), kernel.mT, stride=(down, 1), groups=channels)
