"""The kernel distance grows as edits leave the prior, and is small where they do not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from latent_lab.gans.shapes import Shapes
from latent_lab.metrics.quality import QUALITY, kernel_distance, path_quality
from latent_lab.ops.streams import EVALUATION, stream
from latent_lab.paths.linear import LinearPaths


class Pooled(nn.Module):
    """Features of a few numbers: a pooled image."""

    num_features = 48

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(images.float(), 4).flatten(1)


@pytest.fixture
def space():
    return Shapes(mixing=0.0, resolution=16).space()


@pytest.fixture
def paths(rng) -> LinearPaths:
    return LinearPaths(7, 3, rng=rng)


def curve(space, paths, shares, amount: float = 4.0, num: int = 128, batch_size: int = 50, seed: int = 0):
    return path_quality(space, paths, Pooled(), torch.full((3,), amount), shares, num, batch_size, seed)


def test_the_distance_grows_with_the_share(space, paths):
    found = curve(space, paths, [0.0, 0.5, 1.0], num=256)
    assert [share for share, *_ in found] == [0.0, 0.5, 1.0]
    floor, half, whole = (value for _, value, _, _ in found)
    assert floor < half < whole and abs(floor) < whole / 5
    assert all(low < value < high for _, value, low, high in found)


def test_without_an_edit_every_share_is_the_floor(space, paths):
    floor, *others = (values[1:] for values in curve(space, paths, [0.0, 0.5, 1.0], amount=0.0))
    assert others == [floor] * 2


def test_the_floor_does_not_depend_on_the_paths(space, paths, rng):
    assert curve(space, paths, [0.0], num=32) == curve(space, LinearPaths(7, 3, rng=rng), [0.0], num=32)


def test_the_seed_fixes_the_curve_and_the_global_source_is_left_alone(space, paths):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one = curve(space, paths, [0.0, 1.0], num=32)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert curve(space, paths, [0.0, 1.0], num=32) == one
    assert curve(space, paths, [0.0, 1.0], num=32, seed=1) != one


def test_a_share_does_not_depend_on_the_others(space, paths):
    together = curve(space, paths, [0.0, 0.5, 1.0], num=32)
    assert curve(space, paths, [0.5], num=32) == together[1:2]


def test_the_seeded_distance_is_that_of_features_by_hand(space, paths):
    """The unbiased estimate of the polynomial kernel's squared distance, over all images."""
    found = curve(space, paths, [1.0], num=400, batch_size=400)[0]
    rng = stream(0, QUALITY, 0, EVALUATION)
    real, codes = space.decode(space.sample(400, rng)), space.sample(400, rng)
    k, sign = torch.randint(3, (400,), generator=rng), 2.0 * torch.randint(2, (400,), generator=rng) - 1
    edited = space.decode(codes.moved(paths.shift(codes.latents, k, 4.0 * sign)))
    x, y = (Pooled()(images).double() for images in (real, edited))

    def kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a @ b.mT / a.shape[1] + 1) ** 3

    same = [(kernel(a, a).sum() - kernel(a, a).diagonal().sum()) / (400 * 399) for a in (x, y)]
    distance = (sum(same) - 2 * kernel(x, y).mean()).item()
    assert found[1] == pytest.approx(distance)


def test_a_resample_weighs_the_images_that_it_has(rng):
    x, y = (torch.randn(5, 3, generator=rng, dtype=torch.float64) for _ in range(2))
    counts = torch.tensor([[1, 1, 0, 1, 0]]), torch.tensor([[0, 1, 1, 0, 1]])
    torch.testing.assert_close(kernel_distance(x, y, counts), kernel_distance(x[[0, 1, 3]], y[[1, 2, 4]]))
    # an image twice has no pair with itself: weights 2, 1 have the one pair of two images
    twice = torch.tensor([[2, 1, 0, 0, 0]]), torch.tensor([[1, 1, 0, 0, 0]])
    same = [(2 * (a[0] @ a[1] / 3 + 1) ** 3).item() / 2 for a in (x, y)]
    across = (((x[:2] @ y[:2].mT / 3 + 1) ** 3) * torch.tensor([[2.0], [1.0]])).sum() / 6
    assert kernel_distance(x, y, twice).item() == pytest.approx(sum(same) - 2 * across.item())


def test_the_interval_is_as_wide_as_the_estimate_varies():
    """Over fresh samples of both kinds: the interval's half is about two of their standard deviations."""
    rng = torch.Generator().manual_seed(3)

    def draw() -> tuple[torch.Tensor, torch.Tensor]:
        x, y = (torch.randn(100, 8, generator=rng, dtype=torch.float64) for _ in range(2))
        return x, y + 0.7

    spread = torch.cat([kernel_distance(*draw()) for _ in range(300)]).std()
    halves = []
    for _ in range(20):
        weights = [torch.zeros(400, 100) for _ in range(2)]
        for weight in weights:
            index = torch.randint(100, (400, 100), generator=rng)
            weight.scatter_add_(1, index, torch.ones(400, 100))
        low, high = kernel_distance(*draw(), tuple(weights)).quantile(torch.tensor([0.025, 0.975]).double())
        halves.append((high - low) / 2)
    assert torch.stack(halves).mean() / (1.96 * spread) == pytest.approx(1, abs=0.2)
