"""Realised lengths, by hand."""

from __future__ import annotations

import copy

import pytest
import torch

from latent_lab.edits.views import Pair, View
from latent_lab.metrics.edit_length import EditLength, edit_length


def views(before: torch.Tensor, after: torch.Tensor, eps: torch.Tensor) -> tuple[dict[str, View], Pair]:
    k = torch.zeros(len(eps), dtype=torch.long)
    return {"": View(before, None, None), "k": View(after, None, None)}, Pair(k, k, eps, eps)


def compute(metric: EditLength, *edit: torch.Tensor) -> dict[str, float]:
    metric.update(*views(*edit))
    return {name: value.item() for name, value in metric.compute().items()}


def test_the_function_by_hand():
    before, after = torch.tensor([[0.0, 0], [1, 1]]), torch.tensor([[3.0, 4], [1, 3]])
    torch.testing.assert_close(edit_length(before, after, torch.tensor([2.0, -4.0])), torch.tensor([2.5, 0.5]))


def test_on_a_flat_space(space, rng):
    metric = EditLength(space, rng)
    before = torch.zeros(2, 16)
    before[:, 0] = 4.0  # in the middle of the shell of 16 coordinates
    after = before.clone()
    after[0, 0], after[1, 1] = 8.0, 3.0  # radially to radius 8; sideways to radius 5
    result = compute(metric, before, after, torch.tensor([2.0, -1.0]))
    assert result == {
        "edit_length": pytest.approx(2.5),
        "radius_ratio": pytest.approx((2 + 1.25) / 2),
        "outside_prior": 0.5,
    }


def test_a_sphere_counts_only_what_the_generator_sees(sphere, rng):
    metric = EditLength(sphere, rng)
    z = sphere.sample(2, rng).latents
    tangent = torch.randn(2, 16, generator=rng)
    tangent -= z * (tangent * z).sum(1, keepdim=True) / z.square().sum(1, keepdim=True)
    radial = compute(metric, z, 2 * z, torch.ones(2))
    assert radial == {"edit_length": pytest.approx(0, abs=1e-5), "radius_ratio": 1, "outside_prior": 0}
    metric.reset()
    turned = compute(
        metric, z, z + z.norm(dim=1, keepdim=True) * tangent / tangent.norm(dim=1, keepdim=True), torch.ones(2)
    )
    # the chord of 45 degrees, radius 4
    assert turned["edit_length"] == pytest.approx(4 * (2 - 2**0.5) ** 0.5, rel=1e-4)


def test_a_percent_of_the_prior_is_outside(space, rng):
    metric = EditLength(space, rng)
    z = space.sample(4096, rng).latents
    assert compute(metric, z, z, torch.ones(4096))["outside_prior"] == pytest.approx(0.01, abs=0.006)


def test_states_of_two_ranks_merge(space, rng):
    edits = [
        (torch.randn(n, 16, generator=rng), torch.randn(n, 16, generator=rng), torch.rand(n, generator=rng) + 0.1)
        for n in (3, 4, 1)
    ]
    whole = EditLength(space, rng)
    first, second = copy.deepcopy(whole), copy.deepcopy(whole)
    for metric, part in ((whole, edits), (first, edits[:2]), (second, edits[2:])):
        for edit in part:
            metric.update(*views(*edit))
    first.merge_state(second)
    torch.testing.assert_close(first.compute(), whole.compute())
