"""The reconstructor of large images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18


class ResNetReconstructor(nn.Module):
    """A ResNet18, not pretrained, that tells from a pair of images which path was taken, and how far.

    11,247,993 parameters for colour images and 120 paths; 11,760,993 with torchvision's unused classifier.

    References:
        | Unsupervised Discovery of Interpretable Directions in the GAN Latent Space (Voynov & Babenko, 2020), Section
          3.3
        | https://arxiv.org/abs/2002.03754

    Arguments:
        image_channels: Channels C of an image.
        num_paths: Number K of paths.
        image_size: Side that larger pairs are downsampled to first; None reads them at full size.
        difference: True to read the first image and the change, False to read both images. The functions are the same
            (the first layer is linear), but the start is another, from which the change is learned several times as
            fast.
    """

    def __init__(
        self, image_channels: int, num_paths: int, image_size: int | None = None, difference: bool = False
    ) -> None:
        super().__init__()
        self.image_size, self.difference = image_size, difference
        self.features = resnet18(weights=None)
        self.features.conv1 = nn.Conv2d(2 * image_channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.features.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.features.fc = nn.Identity()
        self.path, self.amount = nn.Linear(512, num_paths), nn.Linear(512, 1)

    def forward(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits :math:`(N, K)` and amounts :math:`(N,)` of pairs of images :math:`(N, C, H, W)`."""
        pair = torch.cat([before, after - before if self.difference else after], 1)
        if self.image_size is not None and pair.shape[-1] > self.image_size:
            pair = F.interpolate(pair, size=(self.image_size, self.image_size), mode="area")
        features = self.features(pair)
        return self.path(features), self.amount(features).squeeze(-1)
