"""Intervals of a row's mean over training seeds and evaluation draws, and of the difference of two rows.

A draw is one evaluation: latents that all rows and all seeds share. Seeds of two rows share nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student


@dataclass(frozen=True)
class Sample:
    """The values of one score in one row, and how much they would differ on other latents.

    Arguments:
        values: The finite values, by seed and draw.
        resamples: By draw, the score on each of the bootstrap's resamples of its latents, averaged over the seeds, with
            shape :math:`(B,)`; a constant may be added. Resample r is the same for all rows.
        spreads: By draw, the standard deviation over latents, where there are no resamples.
        seeded: Whether another seed would give other paths.
    """

    values: Mapping[int, Mapping[int, float]]
    resamples: Mapping[int, np.ndarray] = field(default_factory=dict)
    spreads: Mapping[int, float] = field(default_factory=dict)
    seeded: bool = True

    def weigh_draws(self) -> dict[int, float]:
        """Return the weight of each draw in the mean over seeds of the mean over draws.

        >>> Sample({0: {7: 1.0, 8: 2.0}, 1: {7: 3.0}}).weigh_draws()
        {7: 0.75, 8: 0.25}
        """
        weights: dict[int, float] = {}
        for of_seed in self.values.values():
            for draw in of_seed:
                weights[draw] = weights.get(draw, 0.0) + 1 / (len(self.values) * len(of_seed))
        return weights


class Estimate(NamedTuple):
    """A number with its 95 % interval.

    Arguments:
        mean: The number; nan if there is none.
        half: Half the width of the interval; nan if there is none.
        p: Two-sided probability of so large a number if 0 is the truth; nan where a part of the variance is unknown.
    """

    mean: float
    half: float
    p: float


NOTHING = Estimate(math.nan, math.nan, math.nan)


def estimate(sample: Sample) -> Estimate:
    """Return the mean over seeds of the mean over draws, with its interval.

    See :func:`combine`. Two seeds and one draw of known spread:

    >>> [round(x, 3) for x in estimate(Sample({0: {0: 1.0}, 1: {0: 3.0}}, spreads={0: 0.0}))]
    [2.0, 12.706, 0.295]
    """
    return combine([(1.0, sample)])


def subtract(one: Sample, other: Sample) -> Estimate:
    """Return the difference of two rows' means, with its interval (:func:`combine`). Latents are paired, seeds are not.

    >>> once, twice = Sample({0: {0: 1.0}}, seeded=False), Sample({0: {0: 1.0}}, seeded=False)
    >>> subtract(once, twice).mean
    0.0
    """
    return combine([(1.0, one), (-1.0, other)])


def combine(terms: Sequence[tuple[float, Sample]]) -> Estimate:
    r"""Return a sum of rows' means, each with its factor, with its 95 % interval.

    .. math:: m \pm t_{0.975, \nu} \sqrt{V}, \qquad V = \sum_i f_i^2 \frac{s_i^2}{S_i}
        + \sum_d \operatorname{Var}_r \Bigl(\sum_i f_i w_{id} R_{idr}\Bigr)

    The first part is that of training: the variance :math:`s_i^2` over the :math:`S_i` seeds of a row's mean over
    draws, with :math:`S_i - 1` degrees of freedom; nothing where no seed changes the paths. The second is that of the
    evaluation: over resamples r, independent for each draw d, with the weights w of the draws. It counts as infinitely
    many degrees of freedom in Welch and Satterthwaite's :math:`\nu`. What a draw does to one seed alone is in both
    parts: the interval is rather too wide than too narrow.

    A part that is unknown is left out, and p is nan: the first for one seed, the second without resamples and spreads.

    References:
        | An approximate distribution of estimates of variance components (Satterthwaite, 1946)
        | The generalization of Student's problem when several different population variances are involved (Welch, 1947)

    Arguments:
        terms: A factor and a sample for each row.
    """
    if not all(sample.values for _, sample in terms):
        return NOTHING
    mean, training, known, complete = 0.0, [], 0, True
    for factor, sample in terms:
        of_seeds = [statistics.fmean(of_seed.values()) for of_seed in sample.values.values()]
        mean += factor * statistics.fmean(of_seeds)
        if sample.seeded and len(of_seeds) > 1:
            training.append((factor**2 * statistics.variance(of_seeds) / len(of_seeds), len(of_seeds) - 1))
        complete &= not sample.seeded or len(of_seeds) > 1
    evaluation = [vary_draw(terms, draw) for draw in sorted({d for _, sample in terms for d in sample.weigh_draws()})]
    known = len(training) + sum(variance is not None for variance in evaluation)
    complete &= None not in evaluation
    total = sum(variance for variance, _ in training) + sum(variance or 0.0 for variance in evaluation)
    if not known:
        return Estimate(mean, math.nan, math.nan)
    if total == 0:
        return Estimate(mean, 0.0, (1.0 if mean == 0 else 0.0) if complete else math.nan)
    loss = sum(variance**2 / freedom for variance, freedom in training)
    freedom = total**2 / loss if loss else math.inf
    half = float(student.ppf(0.975, freedom)) * total**0.5
    return Estimate(mean, half, 2 * float(student.sf(abs(mean) / total**0.5, freedom)) if complete else math.nan)


def vary_draw(terms: Sequence[tuple[float, Sample]], draw: int) -> float | None:
    """Return the variance that other latents in one draw would give the sum; None if it is not known."""
    paired, alone = [], 0.0
    for factor, sample in terms:
        weight = factor * sample.weigh_draws().get(draw, 0.0)
        if weight and draw in sample.resamples:
            paired.append(weight * sample.resamples[draw])
        elif weight and draw in sample.spreads:
            alone += (weight * sample.spreads[draw]) ** 2
        elif weight:
            return None
    if len({len(one) for one in paired}) == 1:
        paired = [np.sum(paired, 0)]  # otherwise their resamples are others, and nothing is paired
    finite = [one[np.isfinite(one)] for one in paired]
    if any(len(one) < 2 for one in finite):
        return None
    return alone + sum(float(np.var(one, ddof=1)) for one in finite)


def correct(p: Sequence[float]) -> list[float]:
    """Return the probabilities after Holm's correction for that many comparisons; nan is no comparison.

    >>> correct([0.01, 0.04, float("nan"), 0.03])
    [0.03, 0.06, nan, 0.06]

    References:
        A simple sequentially rejective multiple test procedure (Holm, 1979)
    """
    order = sorted((i for i in range(len(p)) if not math.isnan(p[i])), key=lambda i: p[i])
    corrected, largest = [math.nan] * len(p), 0.0
    for position, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - position) * p[i]))
        corrected[i] = largest
    return corrected


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of the values that are numbers, and half the width of its 95 % interval by Student's t (nan from
    fewer than two).

    >>> [round(x, 3) for x in interval([1.0, 2.0, 3.0])]
    [2.0, 2.484]
    """
    finite = [value for value in values if value == value]
    if len(finite) < 2:
        return (finite[0] if finite else math.nan), math.nan
    spread = statistics.stdev(finite) / len(finite) ** 0.5
    return statistics.fmean(finite), float(student.ppf(0.975, len(finite) - 1)) * spread
