"""Selectivity, by hand."""

from __future__ import annotations

import pytest
import torch

from latent_lab.metrics.selectivity import mean_over_signs, mean_where, selectivity_of

NAN = float("nan")
OWN, TARGETS, UNIT = torch.tensor([0, 1]), torch.tensor([0, 1]), torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)
# one latent, two edits, two changes, three attributes of which the last is no target
CHANGE = torch.tensor([[[[0.5, 0.0, 9.0], [0.5, 1.0, 0.0]], [[0.5, 3.0, 0.0], [NAN, NAN, NAN]]]], dtype=torch.float64)
REACHED = torch.tensor([[[True, True], [True, False]]])


def test_the_function_by_hand():
    share = selectivity_of(CHANGE, REACHED, OWN, TARGETS, UNIT)
    torch.testing.assert_close(share, torch.tensor([[[1.0, 0.5], [0.75, 0.0]]], dtype=torch.float64))


def test_what_was_not_reached_counts_0():
    nothing = torch.zeros_like(REACHED)
    assert torch.equal(selectivity_of(CHANGE, nothing, OWN, TARGETS, UNIT), torch.zeros(1, 2, 2, dtype=torch.float64))


def test_units_and_the_size_of_a_change_do_not_matter(rng):
    change = torch.randn(5, 2, 2, 3, generator=rng, dtype=torch.float64)
    reached, unit = torch.ones(5, 2, 2, dtype=torch.bool), torch.tensor([10.0, 0.1, 3.0], dtype=torch.float64)
    share = selectivity_of(change, reached, OWN, TARGETS, UNIT)
    torch.testing.assert_close(selectivity_of(-7 * change * unit, reached, OWN, TARGETS, UNIT * unit), share)


def test_a_target_that_never_varies_does_not_count():
    still = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    share = selectivity_of(CHANGE, REACHED, OWN, TARGETS, still)
    torch.testing.assert_close(share[:, 0], torch.ones(1, 2, dtype=torch.float64))
    assert torch.equal(share[:, 1], torch.zeros(1, 2, dtype=torch.float64))


def test_means_are_over_the_asked_latents_then_over_both_signs():
    values = torch.tensor([[[1.0, 0.0]], [[0.5, 0.0]], [[NAN, 1.0]]])
    asked = torch.tensor([[[True, True]], [[True, True]], [[False, True]]])
    means = mean_where(values, asked)
    torch.testing.assert_close(means, torch.tensor([[0.75, 1 / 3]]))
    assert mean_over_signs(means, [-0.5, 0.5], 0.5).item() == pytest.approx((0.75 + 1 / 3) / 2)
    assert mean_over_signs(means, [-0.5, 1.0], 1.0).item() == pytest.approx(1 / 3)
