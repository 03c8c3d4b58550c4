"""What face predictors share: the crop of an aligned face, and where their models come from."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from latent_lab.attributes.faces.face_crops import ALIGNED
from latent_lab.checkpoints.face_packages import find_model
from latent_lab.graphs.tfjs import GraphModel


def graph_model(name: str, outputs: Sequence[str]) -> GraphModel:
    """A model of ``make faces``, frozen; refused in one line where it is not installed or has another checksum."""
    return GraphModel(find_model(name), outputs).eval()


def colours(images: Tensor, size: int, crop: tuple[float, float, float, float] | None = ALIGNED) -> Tensor:
    """Images :math:`(N, 3, H, W)` in [-1, 1] to their crop, antialiased, with shape :math:`(N, size, size, 3)` in [0,
    1].

    Values outside [-1, 1], which a generator may give, are clipped.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be (N, 3, H, W) for face predictors, got {tuple(images.shape)}")
    if crop is not None:
        height, width = images.shape[2:]
        top, bottom, left, right = (round(share * side) for share, side in zip(crop, (height, height, width, width)))
        images = images[:, :, top:bottom, left:right]
    images = F.interpolate(images.float(), (size, size), mode="bilinear", antialias=True)
    return ((images.clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).contiguous()
