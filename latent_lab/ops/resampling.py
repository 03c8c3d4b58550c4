"""Filtered resampling as small matrix products: no inserted zero is multiplied, nothing is computed to be thrown
away."""

from __future__ import annotations

from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

# outputs at the lower rate that a product makes at once: a wider tile multiplies more zeros of the band, a narrower one
# calls more often
TILE = 20


def band_matrix(kernel: Tensor, up: int, down: int, low: int, outputs: int) -> tuple[Tensor, int, int]:
    r"""Return the matrix that makes neighbouring outputs from a window of inputs, the window's first input, and the
    step to the next window.

    Output o is :math:`\sum_t k_t\, u_{o \cdot \text{down} + t - \text{low}}` over the input u with ``up - 1`` zeros
    after each number.

    Arguments:
        kernel: Filter k, with shape :math:`(T,)`.
        up, down: Factors of the rates.
        low: Zeros before the input, at the full rate.
        outputs: Outputs of a window.
    """
    taps = len(kernel)
    first = -(low // up)
    last = ((outputs - 1) * down + taps - 1 - low) // up
    places = torch.arange(first, last + 1) * up + low - torch.arange(outputs)[:, None] * down
    inside = (places >= 0) & (places < taps)
    return torch.where(inside.to(kernel.device), kernel[places.clamp(0, taps - 1)], 0), first, outputs * down // up


def resample_axis(x: Tensor, axis: int, kernel: Tensor, up: int, down: int, padding: tuple[int, int]) -> Tensor:
    """Resample an axis of images: upsample it, pad it, convolve it, and thin it out.

    Arguments:
        x: Images, with shape :math:`(N, C, H, W)`.
        axis: Number of the axis, 2 or 3.
        kernel: Filter, with shape :math:`(T,)`.
        up: Factor of the inserted zeros.
        down: One in this many outputs is kept.
        padding: Zeros before and after the axis, at the full rate.
    """
    length = (x.shape[axis] * up + sum(padding) - len(kernel)) // down + 1
    fewest = ceil(length / (TILE * up))
    # best of all they divide the length
    tiles = next((n for n in range(fewest, 2 * fewest) if length % (n * up) == 0), fewest)
    outputs = ceil(length / tiles / up) * up
    matrix, first, step = band_matrix(kernel.flip(0), up, down, padding[0], outputs)
    missing = (-first, (tiles - 1) * step + matrix.shape[1] + first - x.shape[axis])
    if any(missing):
        x = F.pad(x, missing if axis == 3 else (0, 0, *missing))
    windows = x.unfold(axis, matrix.shape[1], step)
    if axis == 3:
        x = windows.reshape(-1, windows.shape[-1]) @ matrix.mT
        return x.reshape(*windows.shape[:3], -1)[..., :length]
    columns = windows.mT.flatten(0, 2)  # (N C tiles, window, W)
    made: Tensor = torch.bmm(matrix.expand(len(columns), -1, -1), columns).unflatten(0, windows.shape[:3])
    return made.flatten(2, 3)[:, :, :length]


def resample(x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, padding: tuple[int, int] = (0, 0)) -> Tensor:
    """Resample both axes of images.

    The numbers are those of inserted zeros, zero padding, a convolution at the full rate with the gain ``up`` for each
    axis, and thinning out.

    Arguments:
        x: Images, with shape :math:`(N, C, H, W)`.
        kernel: Separable filter, with shape :math:`(T,)`, or a plane :math:`(T, T)`, which only thins out.
        up: Factor of the inserted zeros.
        down: One in this many outputs is kept.
        padding: Zeros before and after each axis, at the full rate.

    Example:
        >>> resample(torch.ones(1, 1, 2, 2), torch.tensor([0.5, 0.5]), up=2, padding=(1, 0))[0, 0, 0]
        tensor([1., 1., 1., 1.])
    """
    if kernel.ndim == 2:
        return F.conv2d(
            F.pad(x, (*padding, *padding)),
            kernel.flip(0, 1).expand(x.shape[1], 1, -1, -1),
            stride=down,
            groups=x.shape[1],
        )
    # the longer one along the rows, whose windows are gathered as they lie
    first, second = (3, 2) if up >= down else (2, 3)
    return resample_axis(
        resample_axis(x, first, kernel * up, up, down, padding), second, kernel * up, up, down, padding
    )
