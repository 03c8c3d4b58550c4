"""VGG16, the network by which papers on inversion compare images. The user brings its file."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import vgg16
from torchvision.models.feature_extraction import create_feature_extractor

from latent_lab.attributes.base import FeatureNetwork
from latent_lab.attributes.faces.face_crops import MEAN, STD
from latent_lab.attributes.user_files import load_user_file


class VGG16Features(FeatureNetwork):
    """Maps of VGG16's convolutions after their ReLU, with the ImageNet weights that torchvision publishes. Grey images
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
        with torch.device("meta"):  # without memory: most of its numbers belong to the classifier, which no map needs
            whole = vgg16(weights=None)
        taps = names_of(whole.features)
        if not layers or not set(layers) <= taps.keys():
            raise ValueError(f"layers must be among {list(taps)}, got {list(layers)}")
        self.layers, self.size = tuple(name for name in taps if name in layers), size
        nodes = {f"features.{taps[name]}": name for name in self.layers}
        self.network = create_feature_extractor(whole, nodes).to_empty(device="cpu")
        load_user_file(self.network, weights, whole.state_dict().keys() - self.network.state_dict().keys())
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return maps :math:`(N, F, h, w)`, by the name of their layer, of images :math:`(N, C, H, W)` in [-1, 1]."""
        x = images.float().expand(-1, 3, -1, -1)
        if max(x.shape[2:]) > self.size:
            scale = self.size / max(x.shape[2:])
            x = F.interpolate(
                x, tuple(max(1, round(scale * side)) for side in x.shape[2:]), mode="bilinear", antialias=True
            )
        return self.network(((x + 1) / 2 - self.mean) / self.std)


def names_of(features: nn.Sequential) -> dict[str, int]:
    """Return the numbers of the ReLUs by the names of the convolutions before them: ``conv<stage>_<place in it>``."""
    names, stage, place = {}, 1, 0
    for number, layer in enumerate(features):
        if isinstance(layer, nn.Conv2d):
            place += 1
            names[f"conv{stage}_{place}"] = number + 1
        elif isinstance(layer, nn.MaxPool2d):
            stage, place = stage + 1, 0
    return names
