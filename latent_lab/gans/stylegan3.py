"""StyleGAN3: signals on a continuous plane, filtered before and after every non-linearity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import scipy.signal
import scipy.special
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.gans.styled import GAIN, StyleGenerator, StyleLayer
from latent_lab.ops.resampling import resample

MOST_LAYERS, MOST_PIXELS, MOST_TAPS = 100, 2**14, 256  # a file says them: no filter of an absurd size is designed
PLANES_AT_ONCE = 2**21  # numbers of the widest map that a CPU keeps near: its memory is slower than its arithmetic


def low_pass(taps: int, cutoff: float, width: float, rate: float, radial: bool) -> Tensor | None:
    """Design a Kaiser low-pass filter (Karras et al., 2021, Appendix C); None for a single tap.

    Arguments:
        taps: Length of the filter.
        cutoff, width: Cutoff frequency, and width of the transition.
        rate: Sampling rate.
        radial: True for a plane with circular symmetry, False for a separable filter.
    """
    if taps == 1:
        return None
    if not radial:
        return torch.tensor(scipy.signal.firwin(taps, cutoff, width=width, fs=rate), dtype=torch.float32)
    x = (np.arange(taps) - (taps - 1) / 2) / rate
    r = np.hypot(*np.meshgrid(x, x))
    window = np.kaiser(taps, scipy.signal.kaiser_beta(scipy.signal.kaiser_atten(taps, width / (rate / 2))))
    kernel = scipy.special.j1(2 * cutoff * np.pi * r) / (np.pi * r) * np.outer(window, window)
    return torch.tensor(kernel / kernel.sum(), dtype=torch.float32)


class FourierInput(nn.Module):
    """Sinusoids on a plane that the style rotates and shifts (Karras et al., 2021, Section 3.1 and Appendix F).

    Arguments:
        style_dim: Size of w.
        channels: Channels of the output.
        size: Side of the output.
        rate: Sampling rate.
        bandwidth: Highest frequency.
    """

    freqs: Tensor
    phases: Tensor
    transform: Tensor

    def __init__(self, style_dim: int, channels: int, size: int, rate: float, bandwidth: float) -> None:
        super().__init__()
        self.size, self.rate, self.bandwidth = size, rate, bandwidth
        freqs = torch.randn(channels, 2)
        radii = freqs.square().sum(1, keepdim=True).sqrt()
        self.register_buffer("freqs", freqs / (radii * radii.square().exp().pow(0.25)) * bandwidth)
        self.register_buffer("phases", torch.rand(channels) - 0.5)
        self.register_buffer("transform", torch.eye(3))
        self.affine = nn.Linear(style_dim, 4)
        nn.init.zeros_(self.affine.weight)
        self.affine.bias.data.copy_(torch.tensor([1.0, 0, 0, 0]))
        self.weight = nn.Parameter(torch.randn(channels, channels) / math.sqrt(channels))

    def forward(self, t: Tensor, transform: Tensor | None) -> Tensor:
        """Make the first maps :math:`(N, C, H, W)`.

        Arguments:
            t: Rotation and shift, from ``affine``, with shape :math:`(N, 4)`.
            transform: Further transforms of the plane, with shape :math:`(N, 3, 3)`; None for the stored one.
        """
        t = t.to(self.freqs)  # its angles are not halved, whatever the images are made in
        cos, sin, x, y = (t / torch.linalg.vector_norm(t[:, :2], dim=1, keepdim=True)).unbind(1)
        zero, one = torch.zeros_like(x), torch.ones_like(x)
        turn = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], 1).unflatten(1, (3, 3))
        move = torch.stack([one, zero, -x, zero, one, -y, zero, zero, one], 1).unflatten(1, (3, 3))
        plane = turn @ move @ (self.transform if transform is None else transform.to(t.dtype))
        phases = self.phases + (self.freqs @ plane[:, :2, 2:]).squeeze(2)  # (N, C)
        freqs = self.freqs @ plane[:, :2, :2]  # (N, C, 2)
        lengths = torch.linalg.vector_norm(freqs, dim=2)
        amplitudes = (1 - (lengths - self.bandwidth) / (self.rate / 2 - self.bandwidth)).clamp(0, 1)
        axis = (torch.arange(self.size, device=t.device, dtype=t.dtype) + 0.5) / self.size * 2 - 1
        axis = axis * (0.5 * self.size / self.rate)
        waves = (
            freqs[:, None, None, :, 0] * axis[None, None, :, None]
            + freqs[:, None, None, :, 1] * axis[None, :, None, None]
        )
        waves = torch.sin(2 * math.pi * (waves + phases[:, None, None])) * amplitudes[:, None, None]  # (N, H, W, C)
        return (waves @ self.weight.mT).permute(0, 3, 1, 2)


class Geometry(TypedDict):
    """The resampling of a layer.

    Attributes:
        up, down: Factors of the rates before and after the activation.
        padding: Zeros before and after each axis, at the higher rate.
        up_filter, down_filter: The filters; None for none.
    """

    up: int
    down: int
    padding: tuple[int, int]
    up_filter: Tensor | None
    down_filter: Tensor | None


class FilteredConv(nn.Module):
    """Modulated convolution, then leaky ReLU between an upsampling and a downsampling filter; the last one only makes
    colours.

    Arguments:
        inner: Channels of the input.
        outer: Channels of the output.
        style_dim: Size of w.
        kernel: Size of the convolution.
        colours: True for the last layer.
        clamp: Largest magnitude of an activation.
        geometry: Factors of the rates, padding and filters.
    """

    magnitude: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(
        self, inner: int, outer: int, style_dim: int, kernel: int, colours: bool, clamp: float, geometry: Geometry
    ) -> None:
        super().__init__()
        self.affine = nn.Linear(style_dim, inner)
        self.weight = nn.Parameter(torch.randn(outer, inner, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outer))
        self.register_buffer("magnitude", torch.ones(()))
        self.colours, self.clamp = colours, clamp
        self.up, self.down, self.padding = geometry["up"], geometry["down"], geometry["padding"]
        self.register_buffer("up_filter", geometry["up_filter"])
        self.register_buffer("down_filter", geometry["down_filter"])

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        weight: Tensor = self.weight
        demodulation = (style.square() @ weight.square().sum((2, 3)).mT + 1e-8).rsqrt()
        if len(x) == 1:  # an image alone: its kernels are fewer numbers than its map
            weight = weight * style[..., None, None]
        else:
            x = x * style[:, :, None, None]
        gain = self.magnitude.rsqrt()
        if self.colours:
            return (F.conv2d(x, weight) * gain + self.bias[:, None, None]).clamp(-self.clamp, self.clamp)
        x = F.conv2d(x, weight, padding=weight.shape[2] - 1)
        # the activation's gain goes into the few numbers before it, for its map is many times as large
        x.mul_((demodulation * gain * GAIN)[:, :, None, None]).add_(self.bias[:, None, None] * GAIN)
        planes = max(1, PLANES_AT_ONCE // (x[0, 0].numel() * self.up**2)) if x.device.type == "cpu" else x.shape[1]
        return torch.cat([self.activate(part) for part in x.split(planes, 1)], 1)

    def activate(self, x: Tensor) -> Tensor:
        """Apply the leaky ReLU at the higher rate, and remove the frequencies that only that rate can hold."""
        x = (
            F.pad(x, (*self.padding, *self.padding))
            if self.up_filter is None
            else resample(x, self.up_filter, self.up, 1, self.padding)
        )
        x = F.leaky_relu_(x.clamp_(-5 * self.clamp, self.clamp), 0.2)  # the same as clamping after
        return x if self.down_filter is None else resample(x, self.down_filter, 1, self.down)


class StyleGAN3(StyleGenerator):
    r"""Alias-free generator; T translates with its input, R rotates too (``kernel=1, radial=True`` and twice the
    channels).

    The gains of the equalised learning rate, and of the weights' normalisation, are part of the weights. ``w+`` has a
    row for the input and for each layer. ``given`` may hold ``transform`` :math:`(N, 3, 3)`, which moves the plane.

    References:
        | Alias-Free Generative Adversarial Networks (Karras et al., 2021), Section 3 and Appendix F
        | https://arxiv.org/abs/2106.12423

    Arguments:
        latent_dim, style_dim: Sizes of z and w.
        classes: Number of classes; 0 for an unconditional network.
        resolution: Pixels a side.
        image_channels: Channels C of an image.
        mapping_layers: Layers of the mapping.
        layers: Layers but the last; ``critical`` of them, at the end, are sampled critically.
        channel_base, channel_max: Channels of a layer: half of the base over its cutoff frequency, at most the maximum.
        kernel: Size of the convolutions.
        radial: True for downsampling filters with circular symmetry.
        first_cutoff, first_stopband, last_stopband_rel, margin, filter_size: Design of the filters.
        output_scale: Factor of the image.
        clamp: Largest magnitude of an activation.

    Example:
        >>> options = {"layers": 5, "critical": 2, "channel_base": 128, "channel_max": 8}
        >>> generator = StyleGAN3(latent_dim=8, style_dim=8, resolution=32, mapping_layers=2, **options)
        >>> space = generator.space("w+")
        >>> codes = space.sample(1, torch.Generator().manual_seed(0))
        >>> codes.latents.shape, space.decode(codes).shape
        (torch.Size([1, 7, 8]), torch.Size([1, 3, 32, 32]))
    """

    def __init__(
        self,
        latent_dim: int = 512,
        style_dim: int = 512,
        classes: int = 0,
        resolution: int = 512,
        image_channels: int = 3,
        mapping_layers: int = 2,
        layers: int = 14,
        critical: int = 2,
        channel_base: int = 32768,
        channel_max: int = 512,
        kernel: int = 3,
        radial: bool = False,
        first_cutoff: float = 2.0,
        first_stopband: float = 2**2.1,
        last_stopband_rel: float = 2**0.3,
        margin: int = 10,
        filter_size: int = 6,
        output_scale: float = 0.25,
        clamp: float = 256.0,
    ) -> None:
        if (
            not 0 <= critical < layers <= MOST_LAYERS
            or not 4 <= resolution <= MOST_PIXELS
            or not 0 <= margin <= MOST_PIXELS
        ):
            raise ValueError(
                f"critical must be below layers, layers at most {MOST_LAYERS}, resolution and margin at most "
                f"{MOST_PIXELS}, got {critical}, {layers}, {resolution} and {margin}"
            )
        super().__init__(latent_dim, style_dim, classes, mapping_layers, rows=layers + 2)
        self.resolution, self.channels, self.output_scale = resolution, image_channels, output_scale
        share = np.minimum(np.arange(layers + 1) / (layers - critical), 1)
        cutoffs = first_cutoff * (resolution / 2 / first_cutoff) ** share
        stopbands = first_stopband * (resolution / 2 * last_stopband_rel / first_stopband) ** share
        rates = np.exp2(np.ceil(np.log2(np.minimum(stopbands * 2, resolution))))
        widths = np.maximum(stopbands, rates / 2) - cutoffs
        sizes = rates + margin * 2
        sizes[-2:] = resolution
        channels = np.rint(np.minimum(channel_base / 2 / cutoffs, channel_max)).astype(int)
        channels[-1] = image_channels
        self.input = FourierInput(style_dim, int(channels[0]), int(sizes[0]), float(rates[0]), float(cutoffs[0]))
        self.layers = nn.ModuleList()
        for i in range(layers + 1):
            before, colours = max(i - 1, 0), i == layers
            size = 1 if colours else kernel
            between = max(rates[before], rates[i]) * (1 if colours else 2)
            up, down = round(between / rates[before]), round(between / rates[i])
            up_taps = filter_size * up if up > 1 and not colours else 1
            down_taps = filter_size * down if down > 1 and not colours else 1
            if not 0 < max(up_taps, down_taps) <= MOST_TAPS:
                raise ValueError(
                    f"filter_size must give filters of at most {MOST_TAPS} taps, "
                    f"got {max(up_taps, down_taps)} of layer {i}"
                )
            total = int((sizes[i] - 1) * down + 1 - (sizes[before] + size - 1) * up + up_taps + down_taps - 2)
            low = (total + up) // 2
            geometry: Geometry = {
                "up": up,
                "down": down,
                "padding": (low, total - low),
                "up_filter": low_pass(up_taps, cutoffs[before], widths[before] * 2, between, False),
                "down_filter": low_pass(
                    down_taps, cutoffs[i], widths[i] * 2, between, radial and i < layers - critical
                ),
            }
            self.layers.append(
                FilteredConv(int(channels[before]), int(channels[i]), style_dim, size, colours, clamp, geometry)
            )

    def render(self, styles: Sequence[Tensor], given: dict[str, Tensor]) -> Tensor:
        x = self.input(styles[0], given.get("transform"))
        for layer, style in zip(self.layers, styles[1:]):
            x = layer(x, style)
        return x * self.output_scale

    def style_layers(self) -> list[StyleLayer]:
        filtered = [layer for layer in self.layers if isinstance(layer, FilteredConv)]
        layers = [StyleLayer(f"L{i}", i + 1, layer.affine, colours=layer.colours) for i, layer in enumerate(filtered)]
        return [StyleLayer("input", 0, self.input.affine), *layers]
