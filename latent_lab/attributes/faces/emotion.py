"""An attribute for the smile, from a classifier of emotions."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.attributes.faces.colours import crop_colours, load_graph_model

HAPPY = 3  # of angry, disgust, fear, happy, sad, surprise, neutral


class Smile(Attributes):
    """The probability that a face looks happy, among seven emotions. Images are of faces aligned as in FFHQ.

    References:
        | Emotion of the npm package @vladmandic/human 3.3.6 (``make faces``)
    """

    names = ("smile",)
    units = ("probability",)
    ranges = ((0.0, 1.0),)

    def __init__(self) -> None:
        super().__init__()
        self.model = load_graph_model("emotion", ["Identity"])
        self.register_buffer("luma", torch.tensor([0.2989, 0.5870, 0.1140]), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return attributes :math:`(N, 1)` of images :math:`(N, 3, H, W)` in [-1, 1]."""
        grey = (crop_colours(images, 64) * self.luma).sum(3, keepdim=True)
        return self.model(2 * grey - 1)[0][:, HAPPY, None]
