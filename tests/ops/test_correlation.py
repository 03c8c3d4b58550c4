"""Correlations of numbers and angles against known values and their invariances."""

from __future__ import annotations

import math

import pytest
import torch

from latent_lab.ops.correlation import correlate


def samples(rng: torch.Generator, num: int = 4000) -> torch.Tensor:
    x = torch.randn(num, 3, generator=rng, dtype=torch.float64)
    return torch.stack([x[:, 0], 0.6 * x[:, 0] + 0.8 * x[:, 1], 1e-7 * x[:, 2] + 5], 1)


def test_numbers_have_the_absolute_value_of_pearsons(rng):
    values = samples(rng)
    torch.testing.assert_close(correlate(values, torch.zeros(3)), torch.corrcoef(values.T).abs())
    torch.testing.assert_close(correlate(-3 * values + 7, torch.zeros(3)), torch.corrcoef(values.T).abs())


def test_an_angles_zero_and_unit_do_not_matter(rng):
    values, periods = samples(rng), torch.tensor([0.0, 0.0, 360.0])
    values[:, 2] = 40 * values[:, 0] + 10 * torch.randn(len(values), generator=rng, dtype=torch.float64)
    found = correlate(values, periods)
    turned = values.clone()
    turned[:, 2] = (values[:, 2] + 200) % 360
    torch.testing.assert_close(correlate(turned, periods), found)
    turned[:, 2] = torch.deg2rad(values[:, 2])
    torch.testing.assert_close(correlate(turned, torch.tensor([0.0, 0.0, 2 * math.pi])), found)
    assert found[0, 2] > 0.8 and found[1, 2].item() == pytest.approx(0.6 * found[0, 2].item(), abs=0.03)


def test_an_angle_and_a_number_have_mardias_coefficient(rng):
    """R^2 = (r_c^2 + r_s^2 - 2 r_c r_s r_cs) / (1 - r_cs^2), with Pearson's r of number, cosine and sine."""
    angle = 2 * torch.randn(500, generator=rng, dtype=torch.float64)
    number = angle.cos() + 0.5 * torch.randn(500, generator=rng, dtype=torch.float64)
    r = torch.corrcoef(torch.stack([number, angle.cos(), angle.sin()]))
    c, s, cs = r[0, 1], r[0, 2], r[1, 2]
    expected = ((c**2 + s**2 - 2 * c * s * cs) / (1 - cs**2)).sqrt()
    found = correlate(torch.stack([number, angle], 1), torch.tensor([0.0, 2 * math.pi]))
    torch.testing.assert_close(found[0, 1], expected)


def test_two_angles_that_turn_together_or_against_each_other_correlate_by_one(rng):
    angle = 360 * torch.rand(500, generator=rng, dtype=torch.float64)
    values = torch.stack([angle, (angle + 90) % 360, -angle], 1)
    torch.testing.assert_close(correlate(values, torch.tensor([360.0] * 3)), torch.ones(3, 3, dtype=torch.float64))


def test_a_constant_correlates_with_nothing(rng):
    values = samples(rng)
    values[:, 1] = 1 / 3
    found = correlate(values, torch.zeros(3))
    assert found[1].tolist() == [0.0, 0.0, 0.0] and found[0, 0] == pytest.approx(1)
    assert correlate(values, torch.tensor([0.0, 360.0, 0.0]))[1].tolist() == [0.0, 0.0, 0.0]
