"""MobileStyleGAN: a StyleGAN2 distilled into separable convolutions and wavelets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.gans.feature_edits import apply_edits
from latent_lab.gans.styled import StyleGenerator, StyleLayer, noise_map


def inverse_haar(x: Tensor) -> Tensor:
    """Return an image of its four bands, with shape :math:`(N, C, 2H, 2W)`.

    Arguments:
        x: The bands, C channels each, with the gain 1/2, with shape :math:`(N, 4C, H, W)`.

    Example:
        >>> image = torch.rand(1, 3, 4, 4)
        >>> torch.allclose(inverse_haar(haar(image)), image, atol=1e-5)
        True
    """
    mean, rows, columns, corners = x.chunk(4, 1)
    upper, lower, near, far = mean + rows, mean - rows, columns + corners, columns - corners
    return F.pixel_shuffle(torch.stack([upper + near, upper - near, lower + far, lower - far], 2).flatten(1, 2), 2)


def haar(x: Tensor) -> Tensor:
    """Return the four bands of an image, with shape :math:`(N, 4C, H, W)`; the first is the image averaged over 2x2
    pixels."""
    a, b, c, d = F.pixel_unshuffle(x, 2).unflatten(1, (x.shape[1], 4)).unbind(2)
    return torch.cat([a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d], 1) / 4


def modulate(x: Tensor, weight: Tensor, bias: Tensor, style: Tensor) -> Tensor:
    """Convolve images with a kernel of 1x1 after their channels were scaled by styles.

    Arguments:
        x: The images, with shape :math:`(N, I, H, W)`.
        weight: Kernel, with shape :math:`(O, I)`.
        bias: Bias, with shape :math:`(O,)`.
        style: Factors, with shape :math:`(N, I)`.
    """
    return F.conv2d(x * style[:, :, None, None], weight[:, :, None, None], bias)


def activate(x: Tensor, stored: Tensor, noise: Tensor | None) -> Tensor:
    """Add noise to images and apply the leaky ReLU, in place; they must be no view, which the backward pass would copy.

    Arguments:
        x: The images, with shape :math:`(N, C, H, W)`.
        stored, noise: See :func:`latent_lab.gans.styled.noise_map`.
    """
    x += noise_map(stored, noise)
    return F.leaky_relu_(x, 0.2)


class SeparableConv(nn.Module):
    """A 3x3 convolution of each channel, a modulated 1x1 convolution, noise, bias and leaky ReLU.

    Arguments:
        inner: Channels of the input.
        outer: Channels of the output.
        style_dim: Size of w.
        size: Side of the images.
    """

    noise: Tensor

    def __init__(self, inner: int, outer: int, style_dim: int, size: int) -> None:
        super().__init__()
        self.affine = nn.Linear(style_dim, inner)
        self.depthwise = nn.Parameter(torch.randn(inner, 3, 3) / 3)
        self.weight = nn.Parameter(torch.randn(outer, inner) / inner**0.5)
        self.bias = nn.Parameter(torch.zeros(outer))
        self.register_buffer("noise", torch.zeros(size, size))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        x = F.conv2d(x, self.depthwise[:, None], padding=1, groups=x.shape[1])
        return activate(modulate(x, self.weight, self.bias, style), self.noise, noise)


class FirstConv(nn.Module):
    """The modulated 3x3 convolution of the learned constant.

    Arguments:
        width: Channels.
        style_dim: Size of w.
    """

    noise: Tensor

    def __init__(self, width: int, style_dim: int) -> None:
        super().__init__()
        self.affine = nn.Linear(style_dim, width)
        self.weight = nn.Parameter(torch.randn(width, width, 3, 3) / (3 * width**0.5))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("noise", torch.zeros(4, 4))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        x = F.conv2d(x * style[:, :, None, None], self.weight, self.bias, padding=1)
        return activate(x, self.noise, noise)


class Block(nn.Module):
    """The layers of one resolution: modulated bands become a map of twice the size, then two convolutions.

    Arguments:
        inner: Channels of the input, a multiple of 4.
        outer: Channels of the output.
        style_dim: Size of w.
        size: Side of the output.
    """

    def __init__(self, inner: int, outer: int, style_dim: int, size: int) -> None:
        super().__init__()
        self.up = nn.Linear(style_dim, inner)
        self.conv1 = SeparableConv(inner // 4, outer, style_dim, size)
        self.conv2 = SeparableConv(outer, outer, style_dim, size)


class Colours(nn.Module):
    """A modulated 1x1 convolution to the bands of the image.

    Arguments:
        inner: Channels of the input.
        channels: Channels of an image.
        style_dim: Size of w.
    """

    def __init__(self, inner: int, channels: int, style_dim: int) -> None:
        super().__init__()
        self.affine = nn.Linear(style_dim, inner)
        self.weight = nn.Parameter(torch.randn(4 * channels, inner) / inner**0.5)
        self.bias = nn.Parameter(torch.zeros(4 * channels))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return modulate(x, self.weight, self.bias, style)


class MobileStyleGAN(StyleGenerator):
    r"""Style-based generator of :math:`4 \cdot 2^{B + 1}` pixels a side, B the number of blocks, 8 M parameters in its
    synthesis.

    ``w+`` has a row for the first convolution, three for each block (bands, two convolutions) and one for the colours.
    Demodulation is part of the weights: the teacher's was distilled away. ``given`` may hold ``noise`` (a share of the
    stored maps) and ``noise.<n>``, numbered by convolution.

    References:
        | MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis (Belousov, 2021)
        | https://arxiv.org/abs/2104.04767

    Arguments:
        latent_dim, style_dim: Sizes of z and w.
        widths: Channels at 4x4 and of each block, multiples of 4 but for the last; the default is FFHQ 1024.
        mapping_layers: Layers of the mapping.
        image_channels: Channels C of an image.
        pixels: Side of the images: the whole one; half of it, which is the image averaged over 2x2 pixels, read from
            its bands; None for the whole one.

    Example:
        >>> generator = MobileStyleGAN(latent_dim=8, style_dim=8, widths=(8, 8, 4), mapping_layers=2)
        >>> space = generator.space("w+")
        >>> codes = space.sample(2, torch.Generator().manual_seed(0))
        >>> codes.latents.shape, space.decode(codes).shape
        (torch.Size([2, 8, 8]), torch.Size([2, 3, 32, 32]))
    """

    options = ("truncation_layers", "noise")

    def __init__(
        self,
        latent_dim: int = 512,
        style_dim: int = 512,
        widths: Sequence[int] = (512, 512, 512, 512, 512, 256, 128, 64),
        mapping_layers: int = 8,
        image_channels: int = 3,
        pixels: int | None = None,
    ) -> None:
        widths = list(widths)
        if len(widths) < 2 or min(image_channels, *widths) < 1 or any(width % 4 for width in widths[:-1]):
            raise ValueError(f"widths must be two or more multiples of 4, the last any number, got {widths}")
        super().__init__(latent_dim, style_dim, 0, mapping_layers, rows=3 * len(widths) - 1)
        full = 4 * 2 ** len(widths)
        if pixels not in (None, full, full // 2):
            raise ValueError(f"pixels must be {full}, {full // 2} or null, got {pixels}")
        self.resolution, self.channels = pixels or full, image_channels
        self.whole = self.resolution == full
        self.const = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.conv1 = FirstConv(widths[0], style_dim)
        self.blocks = nn.ModuleList(
            Block(inner, outer, style_dim, 8 * 2**i) for i, (inner, outer) in enumerate(zip(widths, widths[1:]))
        )
        self.rgb = Colours(widths[-1], image_channels, style_dim)
        for layer in self.style_layers():
            nn.init.ones_(layer.affine.bias)  # a style of 1 changes nothing
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch has no types for it

    def resolutions(self) -> list[Block]:
        """Return the layers of each resolution, from 8x8 on."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def render(self, styles: Sequence[Tensor], given: dict[str, Tensor]) -> Tensor:
        def noise(i: int) -> Tensor | None:
            return given.get(f"noise.{i}", given.get("noise"))

        x = self.const.expand(len(styles[0]), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = apply_edits(self.conv1(x, styles[0], noise(0)), 0, given)
        for i, block in enumerate(self.resolutions()):
            row = 3 * i + 1
            x = inverse_haar(x * styles[row][:, :, None, None])
            x = apply_edits(block.conv1(x, styles[row + 1], noise(2 * i + 1)), row + 1, given)
            x = apply_edits(block.conv2(x, styles[row + 2], noise(2 * i + 2)), row + 2, given)
        bands = self.rgb(x, styles[-1])
        return inverse_haar(bands) if self.whole else bands[:, : self.channels]

    def noise_maps(self) -> list[Tensor]:
        return [self.conv1.noise, *[conv.noise for block in self.resolutions() for conv in (block.conv1, block.conv2)]]

    def noise_scales(self) -> list[tuple[int, float]]:
        return [(len(stored), stored.std().item()) for stored in self.noise_maps()]  # their strength is part of them

    def style_layers(self) -> list[StyleLayer]:
        layers = [StyleLayer("4x4 conv1", 0, self.conv1.affine, (len(self.conv1.bias), 4, 4))]
        for i, block in enumerate(self.resolutions()):
            size, row = 8 * 2**i, 3 * i + 1
            layers.append(StyleLayer(f"{size}x{size} bands", row, block.up))
            for part, conv in enumerate((block.conv1, block.conv2), 1):
                layers.append(
                    StyleLayer(f"{size}x{size} conv{part}", row + part, conv.affine, (len(conv.bias), size, size))
                )
        return [*layers, StyleLayer(f"{self.resolution} colours", self.num_rows - 1, self.rgb.affine, colours=True)]
