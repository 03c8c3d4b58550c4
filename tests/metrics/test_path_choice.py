"""Which path is which attribute, on curves drawn by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from latent_lab.metrics.path_choice import assign
from latent_lab.ops.calibration import amount_for_change


@pytest.mark.parametrize("paths, attributes", [(4, 4), (6, 3), (3, 5), (1, 4), (4, 1)])
def test_the_assignment_has_the_largest_sum_and_uses_no_path_twice(paths, attributes, rng):
    scores = torch.rand(paths, attributes, generator=rng)
    chosen_attributes, chosen_paths = assign(scores)
    size = min(paths, attributes)
    assert chosen_attributes.tolist() == sorted(set(chosen_attributes.tolist()))
    assert len(chosen_attributes) == len(chosen_paths) == len(set(chosen_paths.tolist())) == size
    if paths >= attributes:
        assert chosen_attributes.tolist() == list(range(attributes))
        sums = [
            sum(scores[k, a] for a, k in enumerate(order)) for order in itertools.permutations(range(paths), attributes)
        ]
    else:
        sums = [
            sum(scores[k, a] for k, a in enumerate(order)) for order in itertools.permutations(range(attributes), paths)
        ]
    assert scores[chosen_paths, chosen_attributes].sum().item() == pytest.approx(max(sums).item(), abs=1e-6)


def test_the_scores_are_taken_as_they_are():
    """No share of a row is formed: 10 + 1 beats 4 + 2."""
    attributes, paths = assign(torch.tensor([[10.0, 4], [2, 1]]))
    assert attributes.tolist() == [0, 1] and paths.tolist() == [0, 1]


def test_a_score_that_is_nan_counts_as_0():
    attributes, paths = assign(torch.tensor([[math.nan, math.nan], [0.1, 0.9], [0.2, 0.3]]))
    assert attributes.tolist() == [0, 1] and paths.tolist() == [2, 1]


AMOUNTS = torch.tensor([-2.0, -1, 1, 2])
CURVES = {
    "rising line": ([-4.0, -2, 2, 4], {1.0: 0.5, -3.0: -1.5, 4.0: 2.0, -4.0: -2.0, 2.0: 1.0, 5.0: None, -4.1: None}),
    "falling line": ([2.0, 1, -1, -2], {1.0: -1.0, -0.5: 0.5, 2.0: -2.0, 3.0: None}),
    "bends back": ([-1.0, -1, 2, 0], {1.0: 0.5, 2.0: 1.0, -0.5: -0.5, -1.0: -1.0, 2.5: None}),
    "one side": ([0.0, 0, 1, 3], {0.5: 0.5, 2.0: 1.5, 3.0: 2.0, -0.1: None}),
    "both sides": ([6.0, 3, 2, 4], {1.0: -1 / 3, 2.0: -2 / 3, 3.0: -1.0}),  # reached on either side, sooner on the left
    "a turn away": ([0.0, 0, -1, 3], {0.5: 1.375, -0.5: 0.5}),
}


@pytest.mark.parametrize(
    "curve, change, expected", [(values, c, e) for values, cases in CURVES.values() for c, e in cases.items()]
)
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [2, 0, 3, 1]])
def test_the_amount_for_a_change_is_the_smallest_that_reaches_it(curve, change, expected, order):
    found = amount_for_change(AMOUNTS[order], torch.tensor(curve)[order], change)
    assert found == pytest.approx(math.nan if expected is None else expected, nan_ok=True)


def test_the_curve_at_the_amount_is_the_change(rng):
    for _ in range(20):
        amounts, curve = torch.linspace(-1, 1, 8).double(), torch.randn(8, generator=rng).double()
        x, y = np.insert(amounts.numpy(), 4, 0), np.insert(curve.numpy(), 4, 0)
        change = 0.5 * float(y[np.abs(y).argmax()])
        found = amount_for_change(amounts, curve, change)
        assert np.interp(found, x, y) == pytest.approx(change)
        closer = np.linspace(-abs(found), abs(found), 401)[1:-1]
        assert not (np.abs(np.interp(closer, x, y)) > abs(change) + 1e-9)[
            np.sign(np.interp(closer, x, y)) == np.sign(change)
        ].any()
