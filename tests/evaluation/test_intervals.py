"""Intervals over seeds and draws: by hand, and by simulation of tables whose truth is known."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from scipy.stats import t as student

from latent_lab.evaluation.intervals import Sample, correct, estimate, interval, subtract


def simulate(rng: np.random.Generator, latents: np.ndarray, seeds: np.ndarray, own: float, truth: float) -> Sample:
    """A row whose score on latent i of draw d is truth + its seed's effect + that of the latent + one of both.

    ``latents`` (D, N) are the effects that all rows share, ``seeds`` (S,) those of the seeds.
    """
    num_draws, num = latents.shape
    both = own * rng.standard_normal((len(seeds), num_draws, num))
    scores = truth + seeds[:, None, None] + latents + both
    values = {s: {d: float(scores[s, d].mean()) for d in range(num_draws)} for s in range(len(seeds))}
    return Sample(values, {d: resample(d, num) @ scores[:, d].mean(0) for d in range(num_draws)})


@functools.cache
def resample(draw: int, num: int) -> np.ndarray:
    """The weights of the latents in 200 resamples of a draw, the same for all rows."""
    return np.random.default_rng(draw).multinomial(num, np.full(num, 1 / num), 200) / num


@pytest.mark.parametrize("between", [0.02, 0.3])
def test_intervals_cover_the_truth_in_95_of_100_tables(between):
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(1000):
        row = simulate(rng, rng.standard_normal((3, 64)), between * rng.standard_normal(5), 0.3, 2.0)
        found = estimate(row)
        hits += abs(found.mean - 2.0) <= found.half
    assert 930 <= hits <= 970, hits


def test_the_interval_of_a_difference_covers_and_is_narrow_where_latents_are_shared():
    rng = np.random.default_rng(1)
    hits, ratios = 0, []
    for _ in range(1000):
        latents = rng.standard_normal((3, 64))
        one = simulate(rng, latents, 0.05 * rng.standard_normal(5), 0.3, 2.0)
        other = simulate(rng, latents, 0.05 * rng.standard_normal(4), 0.3, 1.5)
        found = subtract(one, other)
        hits += abs(found.mean - 0.5) <= found.half
        ratios.append(found.half / math.hypot(estimate(one).half, estimate(other).half))
    assert 930 <= hits <= 970, hits
    assert np.median(ratios) < 0.6


def test_no_difference_is_found_in_5_of_100_tables():
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(1000):
        latents = rng.standard_normal((2, 64))
        rows = [simulate(rng, latents, 0.1 * rng.standard_normal(5), 0.1, 1.0) for _ in range(2)]
        found += subtract(*rows).p < 0.05
    assert 30 <= found <= 70, found


def test_an_interval_by_hand():
    noise = np.array([-0.3, 0.1, 0.2])
    row = Sample({0: {0: 1.0, 1: 2.0}, 1: {0: 3.0, 1: 4.0}}, {0: noise}, {1: 0.4})
    training = np.var([1.5, 3.5], ddof=1) / 2
    total = training + 0.25 * np.var(noise, ddof=1) + 0.25 * 0.16
    freedom = total**2 / training**2
    assert estimate(row).mean == 2.5
    assert estimate(row).half == pytest.approx(student.ppf(0.975, freedom) * total**0.5, rel=1e-12)
    assert estimate(row).p == pytest.approx(2 * student.sf(2.5 / total**0.5, freedom), rel=1e-12)


def test_a_row_that_no_seed_changes_has_the_normal_interval_over_latents():
    row = Sample({0: {0: 1.0}, 1: {0: 3.0}}, spreads={0: 0.5}, seeded=False)
    assert estimate(row).half == pytest.approx(1.959963984540054 * 0.5, rel=1e-12)


def test_what_is_unknown_gives_no_probability():
    one_seed = Sample({0: {0: 1.0}}, spreads={0: 0.5})
    assert estimate(one_seed).half == pytest.approx(0.98, rel=1e-3) and math.isnan(estimate(one_seed).p)
    no_latents = Sample({0: {0: 1.0}, 1: {0: 3.0}})
    assert estimate(no_latents).half == pytest.approx(12.706, rel=1e-4) and math.isnan(estimate(no_latents).p)
    nothing = estimate(Sample({0: {0: 1.0}}))
    assert nothing.mean == 1.0 and math.isnan(nothing.half)
    assert all(map(math.isnan, estimate(Sample({}))))


def test_equal_rows_of_shared_latents_have_no_difference():
    noise = {0: np.array([-0.5, 0.5, 0.3])}
    row = Sample({0: {0: 1.0}}, noise, seeded=False)
    assert subtract(row, row) == (0.0, 0.0, 1.0)


def test_only_draws_in_common_are_paired():
    noise = np.array([-0.5, 0.5, 0.3])
    one = Sample({0: {0: 1.0}}, {0: noise}, seeded=False)
    same, apart = Sample({0: {0: 1.0}}, {0: noise}, seeded=False), Sample({0: {1: 1.0}}, {1: noise}, seeded=False)
    assert subtract(one, same).half == 0
    assert subtract(one, apart).half == pytest.approx(2**0.5 * estimate(one).half, rel=1e-12)
    fewer = Sample({0: {0: 1.0}}, {0: np.tile(noise, 4)}, seeded=False)  # other resamples of the same draw
    assert subtract(one, fewer).half > estimate(one).half


def test_scale_and_shift_of_a_score_scale_and_leave_its_interval():
    rng = np.random.default_rng(3)
    row = simulate(rng, rng.standard_normal((2, 16)), rng.standard_normal(3), 0.2, 1.0)
    values = {s: {d: 10 * value + 7 for d, value in of.items()} for s, of in row.values.items()}
    other = Sample(values, {d: 10 * one - 3 for d, one in row.resamples.items()})
    assert estimate(other).half == pytest.approx(10 * estimate(row).half, rel=1e-12)
    assert estimate(other).mean == pytest.approx(10 * estimate(row).mean + 7, rel=1e-12)


def test_resamples_that_measure_nothing_do_not_count():
    row = Sample({0: {0: 1.0}}, {0: np.array([0.1, np.nan, 0.3, 0.2])}, seeded=False)
    assert estimate(row).half == pytest.approx(1.959963984540054 * 0.1, rel=1e-12)


def test_holms_correction_by_hand():
    assert correct([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert correct([0.9, 0.8]) == [1.0, 1.0] and correct([]) == []


def test_an_interval_over_runs_is_students():
    assert interval([1.0, 2.0, 3.0, math.nan]) == (2.0, pytest.approx(4.30265 / 3**0.5, rel=1e-5))
    mean, half = interval([1.0])
    assert mean == 1.0 and math.isnan(half) and all(map(math.isnan, interval([])))
