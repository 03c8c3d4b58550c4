"""A second opinion on digits: their shape, measured without moments and without the boundary's length."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.attributes.base import Attributes

SCALE = 2  # pixels of the grid on which a shape is drawn, for one of the image


class DigitShape(Attributes):
    r"""Width, height, slant and thickness of bright strokes on a dark ground, to judge what was fitted on
    :class:`~latent_lab.attributes.digits.DigitAttributes`, which reads moments and total variation.

    With the ink density :math:`p = (x + 1) / 2`:

    - width and height are the distance of the 10th from the 90th percentile of the ink along x and y, over 0.8: the
      extent of a uniform bar;
    - slant compares the third of the ink that lies highest with the third that lies lowest: how far the middle of its
      quartiles along x lies to the right, over the difference of the medians along y;
    - thickness is 4 times the mean distance to the ground of a point of the shape where p is at least half of the
      brightest pixel: across a stroke of thickness t it is t / 4. The shape is drawn on a grid twice as fine, and
      distances are octagonal.

    Without a gradient.

    Arguments:
        resolution: Side of the images, which sets the ranges of the attributes that are in pixels.

    Example:
        >>> image = -torch.ones(1, 1, 32, 32)
        >>> image[:, :, 6:26, 14:18] = 1  # a bar of 4 by 20 pixels
        >>> DigitShape()(image).round(decimals=1).abs()
        tensor([[ 4.0000, 20.0000,  0.0000,  3.8000]])
    """

    names = ("width", "height", "slant", "thickness")
    units = ("pixels", "pixels", "tangent", "pixels")

    def __init__(self, resolution: int = 32) -> None:
        super().__init__()
        side = float(resolution)
        self.ranges = ((0.0, 1.25 * side), (0.0, 1.25 * side), (-side, side), (0.0, side))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return attributes :math:`(N, 4)` of images :math:`(N, C, H, W)` in [-1, 1]."""
        p = (images.float().mean(1) + 1).clamp(0, 2) / 2
        width, height = measure_extent(p.sum(1)), measure_extent(p.sum(2))
        return torch.stack([width, height, measure_slant(p), measure_thickness(p)], 1)


def find_percentile(profile: Tensor, share: float) -> Tensor:
    """Return where a share of each profile :math:`(N, W)` lies to the left, in pixels from the image's edge, with shape
    :math:`(N,)`."""
    reached = F.pad(profile.cumsum(1), (1, 0))
    reached = reached / reached[:, -1:].clamp_min(1e-6)
    after = (reached < share).sum(1, keepdim=True).clamp(1, profile.shape[1])
    low, high = reached.gather(1, after - 1), reached.gather(1, after)
    return (after - 1 + (share - low) / (high - low).clamp_min(1e-6))[:, 0]


def measure_extent(profile: Tensor) -> Tensor:
    """Return the distance of the 10th from the 90th percentile of profiles :math:`(N, W)`, over 0.8, in pixels."""
    return (find_percentile(profile, 0.9) - find_percentile(profile, 0.1)) / 0.8


def measure_slant(p: Tensor) -> Tensor:
    """Return how far the upper third of the ink :math:`(N, H, W)` lies to the right of the lower, over their height."""
    rows = p.sum(2)
    total = rows.sum(1, keepdim=True).clamp_min(1e-6)
    above = rows.cumsum(1) / total  # the row that the border of a third crosses counts with the part inside
    upper = ((1 / 3 - (above - rows / total)) * total / rows.clamp_min(1e-6)).clamp(0, 1)
    lower = ((above - 2 / 3) * total / rows.clamp_min(1e-6)).clamp(0, 1)
    across, down = [], []
    for part in (upper, lower):
        ink = p * part[:, :, None]
        columns = ink.sum(1)
        across.append((find_percentile(columns, 0.25) + find_percentile(columns, 0.75)) / 2)
        down.append(find_percentile(ink.sum(2), 0.5))
    return (across[0] - across[1]) / (down[1] - down[0]).clamp_min(1e-3)


def measure_thickness(p: Tensor) -> Tensor:
    """Return 4 times the mean distance to the ground of the points of the shape, for ink :math:`(N, H, W)`, in
    pixels."""
    fine = F.interpolate(p[:, None], scale_factor=SCALE, mode="bilinear", align_corners=False)[:, 0]
    left = fine >= fine.amax((1, 2), keepdim=True).clamp_min(1e-6) / 2
    area = left.sum((1, 2))
    layers, square = area.float() / 2, False  # the centre of an outermost point is half a point from the ground
    while left.any():
        left = erode(left, square)
        layers, square = layers + left.sum((1, 2)), not square
    return 4 * layers / area.clamp_min(1) / SCALE


def erode(inside: Tensor, square: bool) -> Tensor:
    """Return the points :math:`(N, H, W)` whose four neighbours are inside as well, or all eight for a square: in turn
    they make an octagon, nearly a disc."""
    wide = F.pad(inside, (1, 1, 1, 1))
    columns = wide[:, :, :-2] & wide[:, :, 1:-1] & wide[:, :, 2:]
    if square:
        return columns[:, :-2] & columns[:, 1:-1] & columns[:, 2:]
    return columns[:, 1:-1] & wide[:, :-2, 1:-1] & wide[:, 2:, 1:-1]
