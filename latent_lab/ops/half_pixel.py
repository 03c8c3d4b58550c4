"""The shift of an image by half a pixel: the smallest change of place that its grid can show."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def shift_half_pixel(images: Tensor) -> Tensor:
    """Return images moved by half a pixel to the right, to the left, down and up.

    Bilinear interpolation: each pixel becomes the mean of itself and the neighbour that moves onto it. What comes in
    over an edge repeats the edge.

    Arguments:
        images: Images, with shape :math:`(N, C, H, W)`.

    Returns:
        The moved images, with shape :math:`(4, N, C, H, W)`.

    Example:
        >>> shift_half_pixel(torch.tensor([[[[0.0, 1.0, 0.0]]]]))[0].flatten()
        tensor([0.0000, 0.5000, 0.5000])
    """
    wide = F.pad(images, (1, 1, 1, 1), mode="replicate")
    middle = slice(1, -1)
    sides = [wide[..., middle, :-2], wide[..., middle, 2:], wide[..., :-2, middle], wide[..., 2:, middle]]
    return (torch.stack(sides) + images) / 2
