"""Peak signal-to-noise ratio, in decibels."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def psnr(made: Tensor, images: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""Return the peak signal-to-noise ratio in dB, :math:`10 \log_{10} (4 / \text{MSE})` of images in [-1, 1], with
    shape :math:`(N,)`.

    Equal images have 126 dB (an MSE of 1e-12), so that means over images stay finite; nan where the mask is empty.

    Arguments:
        made, images: Images with shape :math:`(N, C, H, W)`; one image may stand for all. ``made`` is clamped to [-1,
            1].
        mask: Weight of each pixel in the mean, with shape :math:`(N, 1, H, W)`; None for all the same.

    Example:
        >>> psnr(torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.2))
        tensor([20.])
    """
    errors = (made.clamp(-1, 1) - images).square().mean(1, keepdim=True)
    error = errors.mean((1, 2, 3)) if mask is None else (errors * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))
    return 10 * (4 / error.clamp_min(1e-12)).log10()
