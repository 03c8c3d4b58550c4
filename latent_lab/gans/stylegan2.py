"""StyleGAN2: convolutions that styles modulate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.gans.feature_edits import apply_edits
from latent_lab.gans.styled import GAIN, StyleGenerator, StyleLayer, noise_map

FIR = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


class StyledConv(nn.Module):
    r"""A 3x3 convolution of modulated input, demodulated, with noise, bias and activation.

    Styles scale the input's channels and :math:`d` the output's: the same numbers as a kernel of its own for every
    image (Karras et al., 2020, Eq. 1 and 3), with one kernel for all.

    Arguments:
        inner: Channels of the input.
        outer: Channels of the output.
        style_dim: Size of w.
        size: Side of the output.
        up: True to double the size.
        clamp: Largest magnitude of the output; None for no limit.
    """

    noise: Tensor
    fir: Tensor

    def __init__(self, inner: int, outer: int, style_dim: int, size: int, up: bool, clamp: float | None) -> None:
        super().__init__()
        self.affine = nn.Linear(style_dim, inner)
        # as the two convolutions take it
        self.weight = nn.Parameter(torch.randn(*((inner, outer) if up else (outer, inner)), 3, 3))
        self.bias = nn.Parameter(torch.zeros(outer))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(size, size))
        self.register_buffer("fir", torch.outer(FIR, FIR) * 4, persistent=False)
        self.up, self.clamp = up, clamp

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Convolve images :math:`(N, C, H, W)`.

        Arguments:
            x: The images.
            style: Factors of the channels, from ``affine``, with shape :math:`(N, C)`.
            noise: Noise, see :func:`latent_lab.gans.styled.noise_map`.
        """
        energy = self.weight.square().sum((2, 3))
        demodulation = (style.square() @ (energy if self.up else energy.mT) + 1e-8).rsqrt()
        weight: Tensor = self.weight
        if len(x) == 1:  # an image alone: its kernels are fewer numbers than its map
            weight = weight * (style.mT if self.up else style)[..., None, None]
        else:
            x = x * style[:, :, None, None]
        if self.up:
            x = F.conv_transpose2d(x, weight, stride=2)
            x = F.conv2d(x, self.fir.expand(x.shape[1], 1, 4, 4), padding=1, groups=x.shape[1])
        else:
            x = F.conv2d(x, weight, padding=1)
        # a wide map costs by the pass over it, and more by a new one: the gain goes into the numbers before, which are
        # few
        x.mul_(demodulation[:, :, None, None] * GAIN).add_(self.bias[:, None, None] * GAIN)
        x += noise_map(self.noise, noise) * (self.noise_strength * GAIN)
        x = F.leaky_relu_(x, 0.2)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class ToRGB(nn.Module):
    """A modulated 1x1 convolution to colours, without demodulation.

    Arguments:
        inner: Channels of the input.
        channels: Channels of an image.
        style_dim: Size of w.
        clamp: Largest magnitude of the output; None for no limit.
    """

    def __init__(self, inner: int, channels: int, style_dim: int, clamp: float | None) -> None:
        super().__init__()
        self.affine = nn.Linear(style_dim, inner)
        self.conv = nn.Conv2d(inner, channels, 1)
        self.clamp = clamp

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        kernels = self.conv.weight.flatten(1) * style[:, None]  # (N, 3, C): three rows cost less than the map
        x = torch.baddbmm(cast(Tensor, self.conv.bias)[:, None], kernels, x.flatten(2)).unflatten(2, x.shape[2:])
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class Block(nn.Module):
    """The layers of one resolution: an upsampling convolution (not at 4x4), a convolution, and its part of the image.

    Arguments:
        inner: Channels of the input; None at 4x4.
        outer: Channels of the output.
        style_dim: Size of w.
        size: Side of the output.
        channels: Channels of an image.
        clamp: Largest magnitude of an activation; None for no limit.
    """

    def __init__(
        self, inner: int | None, outer: int, style_dim: int, size: int, channels: int, clamp: float | None
    ) -> None:
        super().__init__()
        self.conv0 = StyledConv(inner, outer, style_dim, size, True, clamp) if inner is not None else None
        self.conv1 = StyledConv(outer, outer, style_dim, size, False, clamp)
        self.rgb = ToRGB(outer, channels, style_dim, clamp)


class StyleGAN2(StyleGenerator):
    r"""Style-based generator of images with :math:`4 \cdot 2^{B}` pixels a side, B the number of widths less one.

    The gains of the equalised learning rate are part of the weights. A block's colours read the row of
    w+ of the next block's first convolution. ``given`` may hold ``noise`` (a share of the stored maps) and
    ``noise.<row>``.

    References:
        | Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020)
        | https://arxiv.org/abs/1912.04958

    Arguments:
        latent_dim: Size of z, :math:`z \sim N(0, I)`.
        style_dim: Size of w.
        classes: Number of classes; 0 for an unconditional network.
        widths: Channels at 4x4, 8x8 and so on; the default is FFHQ 1024 (config f).
        mapping_layers: Layers of the mapping.
        image_channels: Channels C of an image.
        clamp: Largest magnitude of an activation; None for no limit.

    Example:
        >>> generator = StyleGAN2(latent_dim=8, style_dim=8, widths=(8, 8, 4), mapping_layers=2)
        >>> space = generator.space("w+", truncation=0.7)
        >>> codes = space.sample(2, torch.Generator().manual_seed(0))
        >>> codes.latents.shape, space.decode(codes).shape
        (torch.Size([2, 6, 8]), torch.Size([2, 3, 16, 16]))
    """

    options = ("truncation_layers", "noise")
    fir: Tensor

    def __init__(
        self,
        latent_dim: int = 512,
        style_dim: int = 512,
        classes: int = 0,
        widths: Sequence[int] = (512, 512, 512, 512, 512, 256, 128, 64, 32),
        mapping_layers: int = 8,
        image_channels: int = 3,
        clamp: float | None = None,
    ) -> None:
        widths = list(widths)
        if not widths or min(image_channels, *widths) < 1:
            raise ValueError(
                f"image_channels and at least one width must be positive, got {image_channels} and {widths}"
            )
        super().__init__(latent_dim, style_dim, classes, mapping_layers, rows=2 * len(widths))
        self.resolution, self.channels = 4 * 2 ** (len(widths) - 1), image_channels
        self.const = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.blocks = nn.ModuleList(
            Block(widths[i - 1] if i else None, width, style_dim, 4 * 2**i, image_channels, clamp)
            for i, width in enumerate(widths)
        )
        self.register_buffer("fir", torch.outer(FIR, FIR) * 4, persistent=False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch has no types for it

    def resolutions(self) -> list[Block]:
        """Return the layers of each resolution, from 4x4 on."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def render(self, styles: Sequence[Tensor], given: dict[str, Tensor]) -> Tensor:
        x = self.const.expand(len(styles[0]), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        image: Tensor | None = None
        row, vectors = 0, iter(styles)
        for block in self.resolutions():
            for conv in (block.conv0, block.conv1):
                if conv is not None:
                    x = apply_edits(conv(x, next(vectors), given.get(f"noise.{row}", given.get("noise"))), row, given)
                    row += 1
            colours = block.rgb(x, next(vectors))
            if image is not None:
                kernel = self.fir.expand(self.channels, 1, 4, 4)
                colours = colours + F.conv_transpose2d(image, kernel, stride=2, padding=1, groups=self.channels)
            image = colours
        return colours

    def noise_maps(self) -> list[Tensor]:
        return [conv.noise for block in self.resolutions() for conv in (block.conv0, block.conv1) if conv is not None]

    def style_layers(self) -> list[StyleLayer]:
        layers = []
        for i, block in enumerate(self.resolutions()):
            size = 4 * 2**i
            for part, conv in enumerate((block.conv0, block.conv1)):
                if conv is not None:
                    shape = (len(conv.bias), size, size)
                    layers.append(StyleLayer(f"{size}x{size} conv{part}", 2 * i - 1 + part, conv.affine, shape))
            layers.append(StyleLayer(f"{size}x{size} rgb", 2 * i + 1, block.rgb.affine, colours=True))
        return layers
