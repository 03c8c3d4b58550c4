"""Which path is which attribute, on curves drawn by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from latent_lab.metrics.path_choice import PathChoice, assign, traversal_correlation
from latent_lab.ops.calibration import amount_for_change


def test_correlation_is_pearsons(rng):
    amounts, change = torch.linspace(-2, 3, 7).double(), torch.randn(4, 3, 7, generator=rng).double()
    found = traversal_correlation(change, amounts)
    assert found.shape == (4, 3)
    for index in np.ndindex(4, 3):
        assert found[index].item() == pytest.approx(pearsonr(amounts, change[index]).statistic, abs=1e-12)
        assert found[index].item() == pytest.approx(np.corrcoef(amounts, change[index])[0, 1], abs=1e-12)


@pytest.mark.parametrize("slope, expected", [(3.0, 1.0), (-0.001, -1.0), (0.0, 0.0)])
@pytest.mark.parametrize("offset", [0.0, 5.0])
def test_the_correlation_of_a_line_is_its_sign_and_0_for_a_constant(slope, offset, expected):
    amounts = torch.linspace(-1, 1, 5).double()
    assert traversal_correlation(slope * amounts + offset, amounts).item() == pytest.approx(expected, abs=1e-9)


def test_each_row_is_correlated_with_its_own_amounts():
    amounts = torch.tensor([[-1.0, 0, 1], [1, 0, -1]])
    change = torch.tensor([-2.0, 0, 2]).expand(2, 3)
    torch.testing.assert_close(traversal_correlation(change, amounts), torch.tensor([1.0, -1.0]))


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


SHARES = torch.tensor([-2.0, -1, 1, 2])
SCALE = torch.tensor([1.0, 0.5, 4.0])  # amounts of a unit of length, by path
SLOPES = torch.tensor([[2.0, -1], [0, 3], [-0.5, 0.5]])  # change per unit of length, by path and attribute


def lines(gain: float = 1.0) -> torch.Tensor:
    return gain * SHARES[None, None, :, None] * SLOPES[None, :, None, :]


def filled(*changes: torch.Tensor) -> PathChoice:
    metric = PathChoice(SCALE[:, None] * SHARES, SHARES, 2)
    for change in changes:
        metric.update(change)
    return metric


def test_lines_have_a_correlation_of_one_their_slope_and_their_shares():
    metric = filled(lines())
    found = metric.compute()
    torch.testing.assert_close(found["correlation"], SLOPES.sign())
    torch.testing.assert_close(found["steepness"], SLOPES)
    torch.testing.assert_close(found["disentanglement"], torch.tensor([[2 / 3, 1 / 3], [0, 1], [0.5, 0.5]]))
    torch.testing.assert_close(metric.curve(), lines()[0])


def test_a_path_that_changes_nothing_scores_0():
    found = filled(torch.zeros(2, 3, 4, 2)).compute()
    assert all(torch.equal(value, torch.zeros(3, 2)) for value in found.values())


def test_latents_whose_changes_oppose_each_other_cancel_in_correlation_and_slope_and_not_in_shares():
    found = filled(torch.cat([lines(1.0), lines(-1.0)])).compute()
    torch.testing.assert_close(found["correlation"], torch.zeros(3, 2))
    torch.testing.assert_close(found["steepness"], torch.zeros(3, 2))
    torch.testing.assert_close(found["disentanglement"], filled(lines()).compute()["disentanglement"])


def test_correlation_does_not_see_steepness():
    found = filled(torch.cat([lines(1.0), lines(9.0)])).compute()
    torch.testing.assert_close(found["correlation"], SLOPES.sign())
    torch.testing.assert_close(found["steepness"], 5 * SLOPES)


def test_the_original_lies_on_the_traversal():
    """A change of 1 at every positive amount is 0 0 0 1 1 over -2 -1 0 1 2."""
    change = (SHARES > 0).float()[None, None, :, None].expand(1, 3, 4, 2)
    expected = pearsonr([-2, -1, 0, 1, 2], [0, 0, 0, 1, 1]).statistic
    torch.testing.assert_close(filled(change).compute()["correlation"], torch.full((3, 2), expected))


@pytest.mark.parametrize("change", [SHARES.abs(), torch.ones(4)], ids=["valley", "hollow"])
def test_a_change_that_is_the_same_on_both_sides_has_no_correlation(change):
    found = filled(change[None, None, :, None].expand(1, 3, 4, 2)).compute()
    torch.testing.assert_close(found["correlation"], torch.zeros(3, 2))
    torch.testing.assert_close(found["steepness"], torch.zeros(3, 2))


def test_states_of_two_ranks_merge(rng):
    parts = [torch.randn(n, 3, 4, 2, generator=rng) for n in (3, 2, 4)]
    whole, first, second = filled(*parts), filled(*parts[:1]), filled(*parts[1:])
    first.merge_state(second)
    torch.testing.assert_close(first.compute(), whole.compute())
    torch.testing.assert_close(first.curve(), torch.cat(parts).mean(0))


def test_a_traversal_of_which_too_little_was_measured_does_not_count(rng):
    change = torch.randn(6, 3, 4, 2, generator=rng)
    whole = filled(change[:5])
    change[5, :, :3, :] = math.nan
    holed = filled(change)
    for name in ("correlation", "disentanglement"):
        torch.testing.assert_close(holed.compute()[name], whole.compute()[name])
    torch.testing.assert_close(holed.curve()[:, :3], whole.curve()[:, :3])


def test_steps_at_which_nothing_was_measured_are_left_out(rng):
    """A long edit that turns the face out of sight leaves the shorter ones their correlation, their curve and their
    slope."""
    change = lines().repeat(4, 1, 1, 1) + 0.1 * torch.randn(4, 3, 4, 2, generator=rng)
    change[:, 0, 3, 0] = math.nan
    change[1:, 1, 0, 1] = math.nan
    metric = filled(change)
    found, curve = metric.compute(), metric.curve()
    expected = [pearsonr([-2, -1, 1, 0], [*one, 0]).statistic for one in change[:, 0, :3, 0].tolist()]
    assert found["correlation"][0, 0].item() == pytest.approx(np.mean(expected), abs=1e-6)
    assert math.isnan(curve[0, 3, 0]) and curve.isnan().sum() == 1
    assert curve[1, 0, 1].item() == pytest.approx(change[0, 1, 0, 1].item())
    assert found["steepness"][0, 0].item() == pytest.approx((SHARES[:3] @ curve[0, :3, 0] / 6).item(), rel=1e-5)
    amount = amount_for_change(SHARES, curve[0, :, 0], 1.0)
    assert 0 < amount < 1 and math.isnan(amount_for_change(SHARES, curve[0, :, 0], 4.0))
