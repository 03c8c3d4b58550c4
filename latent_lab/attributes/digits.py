"""Attributes of an image of a digit, measured by formulas on its pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes


class DigitAttributes(Attributes):
    r"""Ink, width, height, slant, thickness and position of bright strokes on a dark ground, by moments of the image.

    Differentiable everywhere. With ink density :math:`p = (x + 1) / 2`, its centroid and its central second moments
    :math:`\mu`: width and height are :math:`\sqrt{12 \mu}`, the extent of a uniform bar; slant is the shear
    :math:`-\mu_{xy} / \mu_{yy}`, positive to the right; thickness is :math:`2 \cdot` area / boundary length, where the
    boundary is the total variation: a stroke of length s and thickness t has area s t and boundary 2 s.

    Arguments:
        resolution: Side of the images, which sets the ranges of the attributes that are in pixels.
    """

    names = ("ink", "width", "height", "slant", "thickness", "x", "y")
    units = ("share of the image", "pixels", "pixels", "tangent", "pixels", "pixels", "pixels")

    def __init__(self, resolution: int = 32) -> None:
        super().__init__()
        side, half = float(resolution), (resolution - 1) / 2
        extent = (0.0, 12**0.5 * side / 2)
        self.ranges = ((0.0, 1.0), extent, extent, (-5.0, 5.0), (0.0, side), (-half, half), (-half, half))

    def forward(self, images: Tensor) -> Tensor:
        """Return attributes :math:`(N, 7)` of images :math:`(N, C, H, W)` in [-1, 1]; x grows to the right, y
        downwards."""
        p = (images.float().mean(1) + 1).clamp(0, 2) / 2
        area = p.sum((1, 2)).clamp_min(1e-3)
        columns = torch.arange(p.shape[2], dtype=p.dtype, device=p.device) - (p.shape[2] - 1) / 2
        rows = torch.arange(p.shape[1], dtype=p.dtype, device=p.device) - (p.shape[1] - 1) / 2
        x = (p.sum(1) * columns).sum(1) / area
        y = (p.sum(2) * rows).sum(1) / area
        dx, dy = columns - x[:, None], rows - y[:, None]
        xx = (p.sum(1) * dx.square()).sum(1) / area
        yy = (p.sum(2) * dy.square()).sum(1) / area
        xy = torch.einsum("nhw,nh,nw->n", p, dy, dx) / area
        gradient = torch.sqrt(p.diff(dim=2)[:, :-1].square() + p.diff(dim=1)[:, :, :-1].square() + 1e-12)
        thickness = 2 * area / gradient.sum((1, 2)).clamp_min(1e-3)
        return torch.stack(
            [
                p.mean((1, 2)),
                (12 * xx + 1e-6).sqrt(),
                (12 * yy + 1e-6).sqrt(),
                -xy / (yy + 1e-3),
                thickness,
                x,
                y,
            ],
            1,
        )
