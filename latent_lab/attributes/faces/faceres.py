"""FaceRes: age, gender, an embedding and feature maps of a face from one network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes, FeatureNetwork, Predictor
from latent_lab.attributes.faces.colours import crop_colours, load_graph_model


class FaceRes(Attributes):
    r"""Apparent age, and the probability that a face is taken for a man's.

    The network has a class for each year; age is the expectation :math:`\sum_{a=0}^{99} a\, p(a)`, which unlike the
    most probable class has a gradient. Both are a model's guess. Images are of faces that are aligned as FFHQ's.

    References:
        | FaceRes of the npm package @vladmandic/human 3.3.6 (``make faces``)
    """

    names = ("age", "male")
    units = ("years", "probability")
    ranges = ((0.0, 99.0), (0.0, 1.0))

    def __init__(self) -> None:
        super().__init__()
        self.model = load_graph_model("faceres", ["age_pred/Softmax", "gender_pred/Sigmoid"])
        self.register_buffer("years", torch.arange(100.0), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return attributes :math:`(N, 2)` of images :math:`(N, 3, H, W)` in [-1, 1]."""
        age, male = self.model(255 * crop_colours(images, 224))
        return torch.stack([age @ self.years, male[:, 0]], 1)


class FaceResIdentity(Predictor):
    """The embedding of FaceRes, from before its layers for age and gender.

    It comes from the same network as these attributes, so it is no independent judge of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.model = load_graph_model("faceres", ["global_pooling/Mean"])

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings :math:`(N, 1024)` of images :math:`(N, 3, H, W)` in [-1, 1]."""
        return self.model(255 * crop_colours(images, 224))[0]


class FaceResFeatures(FeatureNetwork):
    """Maps of FaceRes' convolutions, of the whole image.

    The network was trained on faces: it tells less about what lies around one.

    Arguments:
        layers: Names of pointwise convolutions, ``conv_pw_1`` (half the side, 32 maps) to ``conv_pw_13`` (a 32nd), read
            after their ReLU6.
        size: Longest side in pixels; larger images are reduced to it.
    """

    def __init__(
        self, layers: Sequence[str] = ("conv_pw_1", "conv_pw_3", "conv_pw_5", "conv_pw_11"), size: int = 256
    ) -> None:
        super().__init__()
        allowed = [f"conv_pw_{i}" for i in range(1, 14)]
        if not layers or not set(layers) <= set(allowed):
            raise ValueError(f"layers must be among {allowed}, got {list(layers)}")
        self.layers, self.size = tuple(layers), size
        self.model = load_graph_model("faceres", [f"{name}_relu/clip_by_value" for name in layers])

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return maps :math:`(N, F, h, w)`, by the name of their layer, of images :math:`(N, 3, H, W)` in [-1, 1]."""
        maps = self.model(255 * crop_colours(images, min(self.size, images.shape[2]), crop=None))
        return {name: values.permute(0, 3, 1, 2) for name, values in zip(self.layers, maps)}
