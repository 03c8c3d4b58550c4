"""SNGAN: a residual generator with batch normalisation, and the spectrally normalised critic that trains it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from latent_lab.gans.base import Generator
from latent_lab.gans.codes import Codes


class UpBlock(nn.Module):
    """BN, ReLU, x2, conv, BN, ReLU, conv, plus the upsampled input, through a 3x3 convolution where the width changes.

    Arguments:
        inner: Channels of the input.
        outer: Channels of the output.
    """

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inner), nn.Conv2d(inner, outer, 3, padding=1)
        self.norm2, self.conv2 = nn.BatchNorm2d(outer), nn.Conv2d(outer, outer, 3, padding=1)
        self.bypass = nn.Identity() if inner == outer else nn.Conv2d(inner, outer, 3, padding=1)
        self.up = nn.Upsample(scale_factor=2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(self.up(self.norm1(x).relu()))
        return self.conv2(self.norm2(y).relu()) + self.bypass(self.up(x))


class SNGAN(Generator):
    r"""Residual generator of images with :math:`4 \cdot 2^{B}` pixels a side, B the number of blocks.

    References:
        | Spectral Normalization for Generative Adversarial Networks (Miyato et al., 2018), Table 4
        | https://arxiv.org/abs/1802.05957

    Arguments:
        latent_dim: Size D of a latent, :math:`z \sim N(0, I)`.
        widths: Channels at 4x4 and after each block; ``[256] * 4`` makes 32x32 images with 4,074,753 parameters.
        image_channels: 1 for grey, 3 for colour.

    Example:
        >>> SNGAN(latent_dim=4, widths=[8, 8], image_channels=1).eval()(torch.zeros(2, 4)).shape
        torch.Size([2, 1, 8, 8])
    """

    spaces = ("z",)

    def __init__(
        self, latent_dim: int = 128, widths: Sequence[int] = (256, 256, 256, 256), image_channels: int = 3
    ) -> None:
        super().__init__()
        widths = list(widths)
        if len(widths) < 2 or min(latent_dim, image_channels, *widths) < 1:
            raise ValueError(
                f"latent_dim, image_channels and at least two widths must be positive, got {latent_dim}, "
                f"{image_channels}, {widths}"
            )
        self.resolution, self.channels = 4 * 2 ** (len(widths) - 1), image_channels
        self.linear = nn.Linear(latent_dim, 16 * widths[0])
        self.blocks = nn.Sequential(*[UpBlock(inner, outer) for inner, outer in zip(widths, widths[1:])])
        self.norm = nn.BatchNorm2d(widths[-1])
        self.conv = nn.Conv2d(widths[-1], image_channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        # channels_last from the first activation on: a factor 2 on CPUs and tensor cores
        x = self.linear(z).unflatten(1, (-1, 4, 4)).contiguous(memory_format=torch.channels_last)
        return self.conv(self.norm(self.blocks(x)).relu()).tanh()

    def latent_shape(self, space: str) -> tuple[int, ...]:
        return (self.linear.in_features,)

    def first_weights(self, space: str) -> list[Tensor]:
        return [self.linear.weight]

    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float = 1.0) -> Codes:
        z = torch.randn(num, self.linear.in_features, generator=rng)
        return Codes((truncation * z).to(self.linear.weight.device))

    def decode(self, space: str, codes: Codes) -> Tensor:
        return self(codes.latents)


class DownBlock(nn.Module):
    """ReLU, conv, average pool, ReLU, conv, plus the pooled input; pooling first costs a quarter of pooling last.

    Arguments:
        inner: Channels of the input.
        outer: Channels of the output.
    """

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.conv1 = spectral_norm(nn.Conv2d(inner, outer, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(outer, outer, 3, padding=1))
        self.bypass = spectral_norm(nn.Conv2d(inner, outer, 1))
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.pool(self.conv1(x.relu())).relu()) + self.bypass(self.pool(x))


class SNGANCritic(nn.Module):
    """Spectrally normalised residual critic: images :math:`(N, C, H, W)` to scores :math:`(N,)`.

    Arguments:
        widths: Channels after each halving of the image.
        image_channels: Channels C of an image.
    """

    def __init__(self, widths: Sequence[int], image_channels: int) -> None:
        super().__init__()
        self.stem = spectral_norm(nn.Conv2d(image_channels, widths[0], 4, stride=2, padding=1))
        self.blocks = nn.Sequential(*[DownBlock(inner, outer) for inner, outer in zip(widths, widths[1:])])
        self.head = spectral_norm(nn.Linear(widths[-1], 1))

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images.contiguous(memory_format=torch.channels_last))
        return self.head(self.blocks(x).relu().sum((2, 3))).squeeze(-1)
