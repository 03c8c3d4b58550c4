"""The reconstructor of large images."""

from __future__ import annotations

import re

import pytest
import torch
from torchvision.models import resnet18

from latent_lab.reconstructors.resnet import ResNetReconstructor


def size(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def reconstructor() -> ResNetReconstructor:
    return ResNetReconstructor(3, 5, image_size=32).eval()


@pytest.mark.parametrize("image_channels", [1, 3])
def test_size_is_that_of_torchvision_with_another_stem_and_two_heads(image_channels):
    with torch.device("meta"):
        ours, theirs = ResNetReconstructor(image_channels, 120), resnet18()
    stem = (2 * image_channels - 3) * 64 * 7 * 7
    assert size(ours) == size(theirs) - size(theirs.fc) + stem + 120 * 513 + 513


def test_the_sizes_in_the_docstring_are_right():
    with torch.device("meta"):
        count = size(ResNetReconstructor(3, 120))
    stated = [int(number.replace(",", "")) for number in re.findall(r"\d+,\d{3},\d{3}", ResNetReconstructor.__doc__)]
    assert stated == [count, count + 513_000]


@pytest.mark.parametrize("num, side", [(1, 32), (2, 64), (1, 16)])
def test_a_batch_of_any_size_gives_logits_and_amounts(reconstructor, num, side, rng):
    before, after = torch.randn(2, num, 3, side, side, generator=rng)
    logits, amount = reconstructor(before, after)
    assert logits.shape == (num, 5) and amount.shape == (num,)


def test_large_pairs_are_averaged_down_first(reconstructor, rng):
    small = torch.randn(2, 1, 3, 32, 32, generator=rng)
    large = small.repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(reconstructor(*large), reconstructor(*small))
