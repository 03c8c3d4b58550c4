"""Means and deviations know a circle from a line."""

import math

import pytest
import torch

from latent_lab.ops.circular import deviation, mean


@pytest.fixture
def values(rng):
    return torch.randn(400, 3, generator=rng, dtype=torch.float64) * torch.tensor([3.0, 0.2, 7.0], dtype=torch.float64)


def test_numbers_have_their_mean_and_their_standard_deviation(values):
    torch.testing.assert_close(mean(values, (0.0, 0.0, 0.0)), values.mean(0))
    torch.testing.assert_close(deviation(values, (0.0, 0.0, 0.0)), values.std(0))


def test_angles_do_not_care_where_the_circle_is_cut(values):
    periods = torch.tensor([360.0, 0.0, 360.0], dtype=torch.float64)
    turned = values + torch.tensor([180.0, 1.0, 359.0], dtype=torch.float64)
    turned[:, [0, 2]] %= 360
    torch.testing.assert_close(deviation(turned, periods), deviation(values, periods))
    moved = (mean(turned, periods) - mean(values, periods)) % torch.tensor([360.0, math.inf, 360.0])
    torch.testing.assert_close(moved, torch.tensor([180.0, 1.0, 359.0], dtype=torch.float64))


def test_a_narrow_angle_is_a_number(values):
    few = values / 100  # of 360: the circle is flat there
    torch.testing.assert_close(deviation(few, (360.0,) * 3), few.std(0), rtol=1e-5, atol=0)
    torch.testing.assert_close(mean(few, (360.0,) * 3), few.mean(0), rtol=0, atol=1e-6)


def test_two_angles_by_hand():
    values = torch.tensor([[0.9], [0.1]], dtype=torch.float64)
    torch.testing.assert_close(mean(values, (1.0,)), torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(deviation(values, (1.0,)), torch.tensor([0.02], dtype=torch.float64).sqrt())


def test_angles_all_around_have_the_deviation_of_the_uniform_distribution():
    values = (torch.arange(10000, dtype=torch.float64) / 10000)[:, None]
    torch.testing.assert_close(
        deviation(values, (1.0,)), torch.tensor([12**-0.5], dtype=torch.float64), rtol=1e-3, atol=0
    )


def test_the_period_may_be_in_any_unit(values):
    degrees = deviation(20 * values, (360.0,) * 3)
    radians = deviation((20 * values).deg2rad(), (2 * math.pi,) * 3)
    torch.testing.assert_close(degrees.deg2rad(), radians)


def test_what_is_not_measured_does_not_count(values):
    gaps = values.clone()
    gaps[::2, 0] = math.nan
    gaps[1:, 2] = math.nan
    for function in (mean, deviation):
        found = function(gaps, (360.0, 0.0, 0.0))
        torch.testing.assert_close(found[:1], function(values[1::2, :1], (360.0,)))
        torch.testing.assert_close(found[1:2], function(values[:, 1:2], (0.0,)))
    assert deviation(gaps, (360.0, 0.0, 0.0))[2].isnan()


def test_resamples_are_computed_at_once(values):
    many = values[torch.randint(400, (5, 400), generator=torch.Generator().manual_seed(0))]
    for function in (mean, deviation):
        whole = function(many, (20.0, 0.0, 20.0))
        torch.testing.assert_close(whole, torch.stack([function(one, (20.0, 0.0, 20.0)) for one in many]))


def test_each_attribute_has_a_period(values):
    with pytest.raises(ValueError, match=r"periods must be one for each of 3 attributes, got \(2,\)"):
        mean(values, (0.0, 360.0))
