"""The Gaussian blur of images and masks."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MODES = {"zeros": "constant", "replicate": "replicate", "reflect": "reflect"}  # of torch.nn.functional.pad


def gaussian_blur(images: Tensor, sigma: float, border: str = "replicate", radius: int | None = None) -> Tensor:
    """Convolve each channel of images :math:`(N, C, H, W)` with a Gaussian that sums to 1.

    torchvision's ``gaussian_blur`` has no border but ``reflect``.

    Arguments:
        images: Images with shape :math:`(N, C, H, W)`.
        sigma: Standard deviation in pixels; 0 returns the images.
        border: Numbers outside of an image: ``zeros``, ``replicate`` (it goes on as it ends) or ``reflect``.
        radius: Pixels to each side at which the Gaussian is cut off; None for three standard deviations, rounded up.

    Raises:
        ValueError: if ``sigma`` is negative, ``border`` unknown, or ``reflect`` reaches over the opposite border.
    """
    if not 0 <= sigma < math.inf:
        raise ValueError(f"sigma must be 0 or more and finite, got {sigma}")
    if border not in MODES:
        raise ValueError(f"border must be one of {tuple(MODES)}, got {border!r}")
    if sigma == 0:
        return images
    radius, side = math.ceil(3 * sigma) if radius is None else radius, min(images.shape[2:])
    if border == "reflect" and radius >= side:
        raise ValueError(f"sigma must be below a third of the image's side {side}, got {sigma}")
    offsets = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (offsets / sigma).square())
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, 1, -1)
    rows = F.conv2d(F.pad(images, (radius, radius, 0, 0), MODES[border]), kernel, groups=images.shape[1])
    return F.conv2d(F.pad(rows, (0, 0, radius, radius), MODES[border]), kernel.mT, groups=images.shape[1])
