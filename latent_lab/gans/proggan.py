"""ProgGAN: convolutions with pixel normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.gans.base import Generator
from latent_lab.gans.codes import Codes


def pixel_norm(x: Tensor) -> Tensor:
    """Scale to a mean square of 1 over the channels, axis 1 (Karras et al., 2018, Section 4.2)."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class ProgGAN(Generator):
    r"""Progressively grown generator of images with :math:`4 \cdot 2^{B}` pixels a side, B the number of widths less
    one.

    The equalised learning rate's gains are part of the weights. The latent is normalised first: only its direction
    counts.

    References:
        | Progressive Growing of GANs (Karras et al., 2018), Table 2
        | https://arxiv.org/abs/1710.10196

    Arguments:
        latent_dim: Size D of a latent, :math:`z \sim N(0, I)`.
        widths: Channels at 4x4, 8x8 and so on; the default is CelebA-HQ 1024.
        image_channels: Channels C of an image.

    Example:
        >>> ProgGAN(latent_dim=4, widths=[8, 4])(torch.zeros(1, 4)).shape
        torch.Size([1, 3, 8, 8])
    """

    spaces = ("z",)
    spherical = ("z",)

    def __init__(
        self,
        latent_dim: int = 512,
        widths: Sequence[int] = (512, 512, 512, 512, 256, 128, 64, 32, 16),
        image_channels: int = 3,
    ) -> None:
        super().__init__()
        widths = list(widths)
        if not widths or min(latent_dim, image_channels, *widths) < 1:
            raise ValueError(
                f"latent_dim, image_channels and at least one width must be positive, got {latent_dim}, "
                f"{image_channels}, {widths}"
            )
        self.resolution, self.channels = 4 * 2 ** (len(widths) - 1), image_channels
        self.dense = nn.Linear(latent_dim, 16 * widths[0])
        pairs = [(widths[0], widths[0])]
        for inner, outer in zip(widths, widths[1:]):
            pairs += [(inner, outer), (outer, outer)]
        self.convs = nn.ModuleList(nn.Conv2d(inner, outer, 3, padding=1) for inner, outer in pairs)
        self.rgb = nn.Conv2d(widths[-1], image_channels, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.dense(pixel_norm(z)).unflatten(1, (-1, 4, 4)).contiguous(memory_format=torch.channels_last)
        x = pixel_norm(F.leaky_relu(x, 0.2))
        for i, conv in enumerate(self.convs):
            if i % 2 == 1:
                x = F.interpolate(x, scale_factor=2)
            x = pixel_norm(F.leaky_relu(conv(x), 0.2))
        return self.rgb(x)

    def latent_shape(self, space: str) -> tuple[int, ...]:
        return (self.dense.in_features,)

    def first_weights(self, space: str) -> list[Tensor]:
        return [self.dense.weight]

    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float = 1.0) -> Codes:
        z = torch.randn(num, self.dense.in_features, generator=rng)
        return Codes((truncation * z).to(self.dense.weight.device))

    def decode(self, space: str, codes: Codes) -> Tensor:
        return self(codes.latents)
