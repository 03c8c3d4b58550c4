"""The reconstructor of small images."""

from __future__ import annotations

import pytest
import torch

from latent_lab.reconstructors.lenet import LeNetReconstructor


@pytest.mark.parametrize("image_channels, count", [(1, 82_755), (3, 83_355)])
def test_published_sizes(image_channels, count):
    assert sum(p.numel() for p in LeNetReconstructor(image_channels, 128).parameters()) == count


@pytest.mark.parametrize("image_channels, side, num", [(1, 32, 1), (3, 40, 2)])
def test_a_batch_of_any_size_gives_logits_and_amounts(image_channels, side, num, rng):
    reconstructor = LeNetReconstructor(image_channels, 5).eval()
    before, after = torch.randn(2, num, image_channels, side, side, generator=rng)
    logits, amount = reconstructor(before, after)
    assert logits.shape == (num, 5) and amount.shape == (num,)


def test_a_sample_does_not_depend_on_its_batch_and_the_order_of_a_pair_matters(rng):
    reconstructor = LeNetReconstructor(1, 5).double().eval()
    before, after = torch.randn(2, 3, 1, 32, 32, generator=rng, dtype=torch.float64)
    logits, amount = reconstructor(before, after)
    for i in range(3):
        alone = reconstructor(before[i : i + 1], after[i : i + 1])
        torch.testing.assert_close((logits[i : i + 1], amount[i : i + 1]), alone)
    assert not torch.allclose(reconstructor(after, before)[0], logits)


def test_gradients_reach_both_images_and_all_weights(rng):
    reconstructor = LeNetReconstructor(1, 5)
    before, after = torch.randn(2, 4, 1, 32, 32, generator=rng).unbind()
    before.requires_grad_(), after.requires_grad_()
    logits, amount = reconstructor(before, after)
    (logits.square().sum() + amount.square().sum()).backward()
    assert all(
        tensor.grad is not None and tensor.grad.isfinite().all()
        for tensor in (before, after, *reconstructor.parameters())
    )


def test_images_that_are_too_small_are_refused_in_one_line():
    small = torch.zeros(2, 1, 16, 16)
    with pytest.raises(ValueError, match=r"needs images of at least 32 pixels a side, got \(16, 16\)"):
        LeNetReconstructor(image_channels=1, num_paths=3)(small, small)
