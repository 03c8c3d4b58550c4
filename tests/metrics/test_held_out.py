"""A fresh reconstructor tells apart what can be told apart, and nothing else."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from latent_lab.gans.shapes import Shapes
from latent_lab.metrics.held_out import held_out_accuracy
from latent_lab.paths.linear import LinearPaths


class Difference(nn.Module):
    """Linear in the change of a pooled image: learns in a few steps."""

    def __init__(self, image_channels: int, num_paths: int) -> None:
        super().__init__()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.BatchNorm1d(16 * image_channels))
        self.path = nn.Sequential(nn.Linear(16 * image_channels, 32), nn.ReLU(), nn.Linear(32, num_paths))
        self.amount = nn.Linear(16 * image_channels, 1)

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        change = self.pool(after - before)
        return self.path(change), self.amount(change).squeeze(-1)


@pytest.fixture
def space():
    return Shapes(mixing=0.0, resolution=16).space()


@pytest.fixture
def paths(space) -> LinearPaths:
    """Along x, hue and background."""
    paths = LinearPaths(7, 3, "free")
    paths.weight.data = space.generator.rotation.mT[:, [0, 2, 4]].clone()
    return paths


def accuracy(
    space, paths, amount: float = 2.0, steps: int = 60, num: int = 200, seed: int = 0, batch_size: int = 32
) -> torch.Tensor:
    return held_out_accuracy(
        space, paths, Difference, torch.full((paths.num_paths,), amount), steps, batch_size, num, seed
    )


def test_paths_that_differ_are_told_apart(space, paths):
    assert accuracy(space, paths).mean() > 0.7


def test_a_longer_training_is_no_worse_and_none_is_near_chance(space, paths):
    assert accuracy(space, paths, steps=0).mean() < 0.55 < accuracy(space, paths, steps=60).mean()


def test_amounts_of_0_are_at_chance(space, paths):
    assert accuracy(space, paths, amount=0.0, num=600).mean().item() == pytest.approx(1 / 3, abs=0.08)


def test_paths_that_coincide_are_at_chance(space, paths):
    paths.weight.data = paths.weight.data[:, :1].repeat(1, 3)
    assert accuracy(space, paths, num=600).mean().item() == pytest.approx(1 / 3, abs=0.08)


@pytest.mark.parametrize("num", [1, 31, 32, 50])
def test_each_edit_is_a_hit_or_a_miss(space, paths, num):
    hits = accuracy(space, paths, steps=1, num=num)
    assert hits.shape == (num,) and set(hits.tolist()) <= {0.0, 1.0}


def test_the_seed_fixes_the_score(space, paths):
    torch.manual_seed(0)
    one = accuracy(space, paths, steps=5)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(accuracy(space, paths, steps=5), one)
    assert not torch.equal(accuracy(space, paths, steps=5, seed=1), one)
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), state)  # the global source is left alone


def test_the_paths_are_not_trained(space, paths):
    before = paths.weight.detach().clone()
    accuracy(space, paths, steps=3)
    assert torch.equal(paths.weight, before) and paths.weight.grad is None


def test_the_reconstructor_gets_the_channels_and_the_number_of_paths(space, paths):
    seen = {}

    def make(reconstructor, **options):
        seen.update(options)
        return reconstructor(**options)

    held_out_accuracy(space, paths, partial(make, Difference), torch.ones(3), 1, 4, 4, 0)
    assert seen == {"image_channels": 3, "num_paths": 3}
