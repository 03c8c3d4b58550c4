"""The plain reading of the official synthesis networks, as floors to beat: float32, NCHW, a kernel for every image
(grouped convolutions), zeros inserted and multiplied in every resampling. It takes the tensors of latent_lab's own
modules."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.gans.mobilestylegan import MobileStyleGAN, SeparableConv
from latent_lab.gans.styled import GAIN, StyleGenerator
from latent_lab.gans.stylegan2 import FIR, StyledConv, StyleGAN2
from latent_lab.gans.stylegan3 import FilteredConv


def upfirdn(x: Tensor, kernel: Tensor | None, up: int = 1, down: int = 1, padding: tuple[int, int] = (0, 0)) -> Tensor:
    """Zeros inserted, padded, filtered at the full rate, thinned out. A vector is a separable filter."""
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n, c, h, 1, w, 1), (0, up - 1, 0, 0, 0, up - 1)).reshape(n, c, h * up, w * up)
    x = F.pad(x, (*padding, *padding))
    if kernel is not None:
        for part in [kernel] if kernel.ndim == 2 else [kernel[None, :], kernel[:, None]]:
            part = part * up ** (2 if kernel.ndim == 2 else 1)
            x = F.conv2d(x, part.flip(0, 1).expand(c, 1, *part.shape), groups=c)
    return x[:, :, ::down, ::down]


def modulated(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool, up: bool = False, padding: int = 0) -> Tensor:
    """One grouped convolution with a modulated kernel for every image."""
    n, (outer, inner, *size) = len(x), weight.shape
    kernels = weight * style[:, None, :, None, None]  # (N, O, I, k, k)
    if demodulate:
        kernels = kernels * (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    x = x.reshape(1, n * inner, *x.shape[2:])
    if up:
        x = F.conv_transpose2d(x, kernels.transpose(1, 2).reshape(n * inner, outer, *size), stride=2, groups=n)
    else:
        x = F.conv2d(x, kernels.reshape(n * outer, inner, *size), padding=padding, groups=n)
    return x.reshape(n, outer, *x.shape[2:])


def activate(x: Tensor, clamp: float | None) -> Tensor:
    x = F.leaky_relu(x, 0.2) * GAIN
    return x if clamp is None else x.clamp(-clamp, clamp)


def styled(conv: StyledConv, x: Tensor, w: Tensor) -> Tensor:
    x = modulated(x, conv.weight.transpose(0, 1) if conv.up else conv.weight, conv.affine(w), True, conv.up, 1)
    if conv.up:
        x = upfirdn(x, torch.outer(FIR, FIR).to(x) * 4, padding=(1, 1))
    x = x + conv.noise * conv.noise_strength
    return activate(x + conv.bias[:, None, None], conv.clamp)


def stylegan2(generator: StyleGAN2, w: Tensor) -> Tensor:
    x, image, row = generator.const.expand(len(w), -1, -1, -1).contiguous(), None, 0
    for block in generator.blocks:
        for conv in filter(None, (block.conv0, block.conv1)):
            x, row = styled(conv, x, w[:, row]), row + 1
        rgb = block.rgb
        colours = modulated(x, rgb.conv.weight, rgb.affine(w[:, row]), False) + rgb.conv.bias[:, None, None]
        image = (
            colours if image is None else upfirdn(image, torch.outer(FIR, FIR).to(x), up=2, padding=(2, 1)) + colours
        )
    return image


def filtered(layer: FilteredConv, x: Tensor, w: Tensor) -> Tensor:
    gain, bias = layer.magnitude.rsqrt(), layer.bias[:, None, None]
    x = modulated(x, layer.weight, layer.affine(w), not layer.colours, padding=layer.weight.shape[2] - 1) * gain + bias
    if layer.colours:
        return x.clamp(-layer.clamp, layer.clamp)
    x = activate(upfirdn(x, layer.up_filter, up=layer.up, padding=layer.padding), layer.clamp)
    return upfirdn(x, layer.down_filter, down=layer.down)


def stylegan3(generator: StyleGenerator, w: Tensor) -> Tensor:
    x = generator.input(generator.input.affine(w[:, 0]), None).contiguous()
    for row, layer in enumerate(generator.layers, 1):
        x = filtered(layer, x, w[:, row])
    return x * generator.output_scale


def wavelets(x: Tensor) -> Tensor:
    """The inverse Haar transform as a grouped transposed convolution of the bands."""
    signs = torch.tensor([[1.0, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]).to(x).reshape(4, 1, 2, 2)
    channels = x.shape[1] // 4
    bands = x.unflatten(1, (4, channels)).transpose(1, 2).flatten(1, 2)
    return F.conv_transpose2d(bands, signs.repeat(channels, 1, 1, 1), stride=2, groups=channels)


def separable(conv: SeparableConv, x: Tensor, w: Tensor) -> Tensor:
    x = F.conv2d(x, conv.depthwise[:, None], padding=1, groups=x.shape[1]) * conv.affine(w)[:, :, None, None]
    return F.leaky_relu(F.conv2d(x, conv.weight[:, :, None, None], conv.bias) + conv.noise, 0.2)


def mobilestylegan(generator: MobileStyleGAN, w: Tensor) -> Tensor:
    first = generator.conv1
    x = generator.const.expand(len(w), -1, -1, -1).contiguous() * first.affine(w[:, 0])[:, :, None, None]
    x = F.leaky_relu(F.conv2d(x, first.weight.contiguous(), first.bias, padding=1) + first.noise, 0.2)
    for i, block in enumerate(generator.blocks):
        x = wavelets(x * block.up(w[:, 3 * i + 1])[:, :, None, None])
        x = separable(block.conv1, x, w[:, 3 * i + 2])
        x = separable(block.conv2, x, w[:, 3 * i + 3])
    colours = generator.rgb
    return wavelets(
        F.conv2d(x * colours.affine(w[:, -1])[:, :, None, None], colours.weight[:, :, None, None], colours.bias)
    )
