"""Attributes of a colour image with one subject, measured by formulas on its pixels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes


class ColourAttributes(Attributes):
    r"""Brightness, contrast, hue, saturation, sharpness, and the subject's size and position against the background.

    With colours in [0, 1]: luma is 0.299 R + 0.587 G + 0.114 B; brightness and contrast are its mean and standard
    deviation, sharpness is the root mean square of its gradient over its contrast (a blur lowers it; a chessboard of
    pixels has √8). Hue and saturation are angle and length of the mean chroma :math:`(R - \tfrac{G + B}{2},
    \tfrac{\sqrt 3}{2} (G - B))`. The background is the mean colour of the image's border; a pixel belongs to the
    subject by :math:`d^2 / (d^2 + 0.15^2)`, d its distance from that colour; size is the mean of this, position its
    centroid. Differentiable everywhere.
    """

    names = ("brightness", "contrast", "hue", "saturation", "sharpness", "size", "x", "y")
    units = (
        "share",
        "share",
        "degrees",
        "share",
        "per pixel",
        "share of the image",
        "share of the side",
        "share of the side",
    )
    ranges = ((0.0, 1.0), (0.0, 0.5), (-180.0, 180.0), (0.0, 1.0), (0.0, 2.83), (0.0, 1.0), (-0.5, 0.5), (-0.5, 0.5))
    periods = (0.0, 0.0, 360.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    def forward(self, images: Tensor) -> Tensor:
        """Return attributes :math:`(N, 8)` of images :math:`(N, 3, H, W)` in [-1, 1]; x grows to the right, y
        downwards."""
        if images.shape[1] != 3:
            raise ValueError(f"images must have 3 channels for colour attributes, got {images.shape[1]}")
        colours = (images.float() + 1).clamp(0, 2) / 2
        red, green, blue = colours.unbind(1)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        contrast = (luma.var((1, 2), correction=0) + 1e-8).sqrt()
        alpha, beta = (red - (green + blue) / 2).mean((1, 2)), (math.sqrt(3) / 2 * (green - blue)).mean((1, 2))
        grey = 1e-6  # keeps the gradients of a grey image's hue and saturation finite
        gradient = (luma.diff(dim=2)[:, :-1].square() + luma.diff(dim=1)[:, :, :-1].square()).mean((1, 2))

        border = torch.cat(
            [colours[:, :, 0], colours[:, :, -1], colours[:, :, 1:-1, 0], colours[:, :, 1:-1, -1]], 2
        ).mean(2)
        squared = (colours - border[:, :, None, None]).square().sum(1)
        subject = squared / (squared + 0.15**2)
        area = subject.sum((1, 2)).clamp_min(1e-3)
        columns = (torch.arange(subject.shape[2], dtype=subject.dtype, device=subject.device) + 0.5) / subject.shape[
            2
        ] - 0.5
        rows = (torch.arange(subject.shape[1], dtype=subject.dtype, device=subject.device) + 0.5) / subject.shape[
            1
        ] - 0.5
        return torch.stack(
            [
                luma.mean((1, 2)),
                contrast,
                torch.rad2deg(torch.atan2(beta, alpha + grey)),
                (alpha.square() + beta.square() + grey**2).sqrt(),
                (gradient + 1e-12).sqrt() / contrast.clamp_min(1e-2),
                subject.mean((1, 2)),
                (subject.sum(1) * columns).sum(1) / area,
                (subject.sum(2) * rows).sum(1) / area,
            ],
            1,
        )
