"""Transformations of images that walks are trained to imitate."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

NAMES = ("zoom", "shift_x", "shift_y", "rotate", "brightness", "red", "green", "blue")


def transform(images: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Apply all transformations at once. Return the images and a mask of the pixels that are known.

    ``zoom`` is the logarithm of the magnification; ``shift_x`` (to the right) and ``shift_y`` (down) are shares of the
    side; ``rotate`` is in degrees, anticlockwise, about the centre; ``brightness`` adds a share of the range from black
    to white, ``red``, ``green`` and ``blue`` add it to one channel. The image is magnified, turned, then shifted.

    Arguments:
        images: Images in [-1, 1], with shape :math:`(N, C, H, W)`.
        parameters: One column for each of ``NAMES``, with shape :math:`(N, 8)`; 0 changes nothing.

    Returns:
        Images with the shape of ``images`` and a mask :math:`(N, 1, H, W)`, 0 where pixels come from outside the image.
    """
    zoom, shift_x, shift_y, angle, *colours = parameters.to(images).unbind(1)
    cos, sin = torch.cos(torch.deg2rad(angle)) / zoom.exp(), torch.sin(torch.deg2rad(angle)) / zoom.exp()
    # where a pixel of the result comes from: the inverse of the transformation, y downwards
    dx, dy = -2 * shift_x, -2 * shift_y
    theta = torch.stack([cos, -sin, cos * dx - sin * dy, sin, cos, sin * dx + cos * dy], 1).unflatten(1, (2, 3))
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    known = (grid.abs() <= 1).all(3)[:, None].to(images)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    offsets = (
        colours[0][:, None] + torch.stack(colours[1:], 1)[:, : images.shape[1]]
        if images.shape[1] == 3
        else colours[0][:, None]
    )
    return (moved + 2 * offsets[:, :, None, None]).clamp(-1, 1), known


def make_parameters(transformations: Mapping[str, float], image_channels: int) -> Tensor:
    """Return the parameters of one unit of amount of each transformation, :math:`(K, 8)`.

    Arguments:
        transformations: The parameter of one unit of amount, by the transformation's name.
        image_channels: Channels of the images.

    Raises:
        ValueError: A transformation is not known, or its parameter not above 0.
    """
    allowed = NAMES if image_channels == 3 else NAMES[:5]
    if not transformations or set(transformations) - set(allowed):
        raise ValueError(
            f"transformations must be among {list(allowed)} for images of {image_channels} channels, "
            f"got {list(transformations)}"
        )
    if not all(unit > 0 for unit in transformations.values()):
        raise ValueError(
            f"transformations must be above 0, the parameter of one unit of amount, got {dict(transformations)}"
        )
    units = torch.zeros(len(transformations), len(NAMES))
    for k, (name, unit) in enumerate(transformations.items()):
        units[k, NAMES.index(name)] = unit
    return units
