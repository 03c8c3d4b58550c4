"""Whether real images vary as a path does, where the answer is known."""

from __future__ import annotations

import pytest
import torch

from latent_lab.gans.shapes import Shapes
from latent_lab.metrics.dvn import Binary, variation_naturalness
from latent_lab.paths.linear import LinearPaths

HUE = Shapes.factor_names.index("hue")


@pytest.fixture
def space():
    return Shapes(mixing=0.0, resolution=16).space()


@pytest.fixture
def paths(space) -> LinearPaths:
    """Path 1 is the hue."""
    paths = LinearPaths(7, 2, "free")
    paths.weight.data = space.generator.rotation.mT[:, [0, HUE]].clone()
    return paths


def real_images(space, varies: bool) -> torch.Tensor:
    u = torch.randn(256, 7, generator=torch.Generator().manual_seed(1))
    u[:, HUE] *= 2 if varies else 0
    return space.generator.render(u)


def score(space, paths, amount: float = 2.0, varies: bool = True, seed: int = 0, steps: int = 30) -> float:
    return variation_naturalness(space, paths, 1, amount, real_images(space, varies), seed, steps, 32, 128)


def test_a_variation_that_real_images_have_is_learned_from_them(space, paths):
    assert score(space, paths) > 0.9


def test_a_variation_that_they_do_not_have_is_learned_less(space, paths):
    assert score(space, paths, varies=False) < score(space, paths) - 0.2


def test_a_path_that_changes_nothing_is_at_chance(space, paths):
    assert score(space, paths, amount=0.0) == pytest.approx(0.5, abs=0.12)


def test_the_seed_fixes_the_score_and_the_global_source_is_left_alone(space, paths):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one = score(space, paths, amount=0.3, steps=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert score(space, paths, amount=0.3, steps=3) == one
    assert score(space, paths, amount=0.3, steps=3, seed=1) != one


def test_the_score_is_a_share_of_num_images(space, paths):
    value = 128 * score(space, paths, amount=0.3, steps=2)
    assert value == round(value) and 0 <= value <= 128


@pytest.mark.parametrize("channels, side", [(1, 32), (3, 16)])
def test_the_network_gives_a_logit_an_image(channels, side, rng):
    assert Binary(channels)(torch.randn(5, channels, side, side, generator=rng)).shape == (5,)
