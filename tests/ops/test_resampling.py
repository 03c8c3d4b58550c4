"""Resampling by products gives the numbers of zero-insertion, padding and a whole convolution."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.gans.stylegan3 import StyleGAN3, low_pass
from latent_lab.ops.resampling import resample


def reference(x: Tensor, kernel: Tensor, up: int, padding: tuple[int, int], down: int, gain: float) -> Tensor:
    """Zeros, padding, convolution with the plane of the filter, every ``down``-th kept."""
    num, channels, height, width = x.shape
    stuffed = x.new_zeros(num, channels, height * up, width * up)
    stuffed[:, :, ::up, ::up] = x
    plane = kernel if kernel.ndim == 2 else torch.outer(kernel, kernel)
    padded = F.pad(stuffed, (*padding, *padding))
    return F.conv2d(padded, (gain * plane).flip(0, 1).expand(channels, 1, -1, -1), groups=channels)[
        :, :, ::down, ::down
    ]


@pytest.mark.parametrize("up", [1, 2, 4])
@pytest.mark.parametrize("taps", [6, 7, 12, 24])
@pytest.mark.parametrize("padding", [(0, 0), (3, 2), (9, 10), (20, 21), (-2, -1), (5, -4)])
def test_upsampling(up, taps, padding, rng):
    x, kernel = torch.randn(2, 3, 15, 37, generator=rng).double(), torch.randn(taps, generator=rng).double()
    if min(x.shape[2:]) * up + sum(padding) < taps:
        pytest.skip("nothing would be left")
    torch.testing.assert_close(resample(x, kernel, up, 1, padding), reference(x, kernel, up, padding, 1, up**2))


@pytest.mark.parametrize("down", [1, 2, 4])
@pytest.mark.parametrize("taps", [6, 12, 13])
@pytest.mark.parametrize("plane", [False, True])
def test_downsampling(down, taps, plane, rng):
    x, kernel = (
        torch.randn(2, 3, 30, 226, generator=rng).double(),
        torch.randn(*[taps] * (1 + plane), generator=rng).double(),
    )
    torch.testing.assert_close(resample(x, kernel, 1, down), reference(x, kernel, 1, (0, 0), down, 1))


def test_both_at_once(rng):
    x, kernel = torch.randn(1, 2, 50, 41, generator=rng).double(), torch.randn(9, generator=rng).double()
    torch.testing.assert_close(resample(x, kernel, 2, 2, (4, 3)), reference(x, kernel, 2, (4, 3), 2, 4))


@pytest.mark.parametrize("radial", [False, True])
def test_low_pass_filters_keep_a_constant_and_are_symmetric(radial):
    kernel = low_pass(12, 2.0, 3.0, 16.0, radial)
    assert kernel.sum().item() == pytest.approx(1, abs=1e-6) and torch.allclose(kernel, kernel.flip(0), atol=1e-7)
    assert low_pass(1, 2.0, 3.0, 16.0, radial) is None


def test_the_official_sizes_and_counts():
    """Sizes and channels of AFHQv2 512: 24,873,519 numbers in T; the layers' names say both."""
    with torch.device("meta"):
        names = [layer.weight.shape for layer in StyleGAN3().layers]
    assert [shape[0] for shape in names] == [512] * 7 + [483, 323, 215, 144, 96, 64, 64, 3]
    assert [shape[2] for shape in names] == [3] * 14 + [1]
