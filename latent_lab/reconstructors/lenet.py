"""The reconstructor of small images."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def make_head(outputs: int) -> nn.Sequential:
    """Make two linear layers that end in this many outputs."""
    return nn.Sequential(nn.Linear(120, 84), nn.BatchNorm1d(84), nn.ReLU(), nn.Linear(84, outputs))


SMALLEST = 32  # pixels that three convolutions of 5 and two halvings need


class LeNetReconstructor(nn.Module):
    """A small network that tells from a pair of images which path was taken, and how far.

    It has 82,755 parameters for grey images and 128 paths.

    References:
        | Unsupervised Discovery of Interpretable Directions in the GAN Latent Space (Voynov & Babenko, 2020), Section
          3.3
        | https://arxiv.org/abs/2002.03754

    Arguments:
        image_channels: Channels C of an image, at least 32x32 pixels.
        num_paths: Number K of paths.

    Example:
        >>> images = torch.zeros(2, 1, 32, 32)
        >>> logits, amounts = LeNetReconstructor(image_channels=1, num_paths=5)(images, images)
        >>> logits.shape, amounts.shape
        (torch.Size([2, 5]), torch.Size([2]))
    """

    def __init__(self, image_channels: int, num_paths: int) -> None:
        super().__init__()

        def stage(inner: int, outer: int) -> list[nn.Module]:
            return [nn.Conv2d(inner, outer, 5), nn.BatchNorm2d(outer), nn.ReLU()]

        self.features = nn.Sequential(
            *stage(2 * image_channels, 6), nn.MaxPool2d(2), *stage(6, 16), nn.MaxPool2d(2), *stage(16, 120)
        )
        self.path, self.amount = make_head(num_paths), make_head(1)

    def forward(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits :math:`(N, K)` and amounts :math:`(N,)` of pairs of images :math:`(N, C, H, W)`.

        Raises:
            ValueError: if the images have fewer than 32 pixels a side.
        """
        if min(before.shape[2:]) < SMALLEST:
            raise ValueError(
                f"reconstructor=lenet needs images of at least {SMALLEST} pixels a side, "
                f"got {tuple(before.shape[2:])}; take reconstructor=resnet18"
            )
        features = self.features(torch.cat([before, after], 1)).mean((2, 3))
        return self.path(features), self.amount(features).squeeze(-1)
