"""Masks of an application: where they come from, and how they grow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.ops.region import box_mask, file_mask


@torch.no_grad()
def mask_of(source: Sequence[float] | str | Path | nn.Module, images: Tensor) -> Tensor:
    """Return a mask of the first image, with shape :math:`(1, 1, H, W)` in [0, 1].

    Arguments:
        source: A box ``[top, left, bottom, right]`` in shares of the image, a picture's file (white is inside), or a
            network from images to masks :math:`(N, 1, H, W)`.
        images: Images with shape :math:`(K, C, H, W)` in [-1, 1].
    """
    height, width = images.shape[2:]
    if isinstance(source, nn.Module):
        mask = source(images[:1]).float()
    elif isinstance(source, str | Path):
        mask = file_mask(source, height, width, "mask")[None, None]
    else:
        mask = box_mask(source, height, width, "mask")[None, None]
    for part, name in ((mask, "holds no pixel"), (1 - mask, "is the whole image")):
        if part.sum() < 0.5:
            raise ValueError(f"mask {name} of {height} x {width}; give one that is a part of the image")
    return mask.to(images)


def widen(mask: Tensor, pixels: float) -> Tensor:
    """Return the mask, widened by so many pixels to each side."""
    radius = math.ceil(pixels)
    return F.max_pool2d(mask, 2 * radius + 1, stride=1, padding=radius) if radius else mask
