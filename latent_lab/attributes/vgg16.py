"""VGG16: the network that papers on inversion compare images by, for a file of yours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.attributes.base import FeatureNetwork
from latent_lab.attributes.faces.face_crops import MEAN, STD
from latent_lab.attributes.user_files import load_user_file

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
HEAD = [f"classifier.{i}.{part}" for i in (0, 3, 6) for part in ("weight", "bias")]  # in the file, needed by no map


class VGG16Features(FeatureNetwork):
    """Maps of VGG16's convolutions after their ReLU, of the ImageNet weights that torchvision publishes. Grey images
    are repeated.

    References:
        | Very Deep Convolutional Networks for Large-Scale Image Recognition (Simonyan & Zisserman, 2015), configuration
          D
        | https://arxiv.org/abs/1409.1556
        | Image2StyleGAN (Abdal et al., 2019), Section 3.3: the layers; Image2StyleGAN++ (2020) takes conv1_1, conv1_2,
          conv2_2, conv3_3

    Arguments:
        weights: The file ``vgg16-397923af.pth``.
        layers: Names of convolutions, ``conv1_1`` to ``conv5_3``.
        size: Longest side in pixels; larger images are reduced to it.
    """

    def __init__(
        self, weights: str, layers: Sequence[str] = ("conv1_1", "conv1_2", "conv3_2", "conv4_2"), size: int = 256
    ) -> None:
        super().__init__()
        stages, self.taps, inner = [], {}, 3
        for i, widths in enumerate(WIDTHS):
            for j, width in enumerate(widths):
                stages += [nn.Conv2d(inner, width, 3, padding=1), nn.ReLU()]
                self.taps[f"conv{i + 1}_{j + 1}"], inner = len(stages) - 1, width
            stages.append(nn.MaxPool2d(2))
        if not layers or not set(layers) <= self.taps.keys():
            raise ValueError(f"layers must be among {list(self.taps)}, got {list(layers)}")
        self.layers, self.size = tuple(sorted(layers, key=self.taps.__getitem__)), size
        self.features = nn.Sequential(*stages)
        load_user_file(self, weights, HEAD)
        self.features = self.features[: self.taps[self.layers[-1]] + 1]
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        x = images.float().expand(-1, 3, -1, -1)
        if max(x.shape[2:]) > self.size:
            scale = self.size / max(x.shape[2:])
            x = F.interpolate(
                x, tuple(max(1, round(scale * side)) for side in x.shape[2:]), mode="bilinear", antialias=True
            )
        x, maps = ((x + 1) / 2 - self.mean) / self.std, {}
        names = {self.taps[name]: name for name in self.layers}
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in names:
                maps[names[i]] = x
        return maps
