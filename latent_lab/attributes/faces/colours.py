"""Shared parts of face predictors: the loading of their models, and the crop of an aligned face."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from latent_lab.attributes.faces.face_crops import ALIGNED
from latent_lab.checkpoints.face_packages import find_model
from latent_lab.graphs.tfjs import GraphModel


def load_graph_model(name: str, outputs: Sequence[str]) -> GraphModel:
    """Load a model that ``make faces`` installs, frozen.

    Raises:
        FileNotFoundError: It is not installed.
        ValueError: Its checksum is another.
    """
    return GraphModel(find_model(name), outputs).eval()


def crop_colours(images: Tensor, size: int, crop: tuple[float, float, float, float] | None = ALIGNED) -> Tensor:
    """Return the antialiased crop :math:`(N, size, size, 3)` in [0, 1] of images :math:`(N, 3, H, W)` in [-1, 1].

    Values outside [-1, 1], which a generator may give, are clipped.

    Arguments:
        images: The images.
        size: Side of the crop in pixels.
        crop: Shares of the image at which the crop begins and ends: top, bottom, left, right; None for the whole image.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be (N, 3, H, W) for face predictors, got {tuple(images.shape)}")
    if crop is not None:
        height, width = images.shape[2:]
        top, bottom, left, right = (round(share * side) for share, side in zip(crop, (height, height, width, width)))
        images = images[:, :, top:bottom, left:right]
    images = F.interpolate(images.float(), (size, size), mode="bilinear", antialias=True)
    return ((images.clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).contiguous()
