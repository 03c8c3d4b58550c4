"""Scores, and their intervals over latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Score(NamedTuple):
    """A number with its 95 % interval.

    Arguments:
        name: Its name, with ``/`` between a family's and its own.
        value: The number; nan where nothing was measured.
        low, high: The interval's ends, nan where there is none.
        num: Number of latents behind it.
        unit: Its unit; empty for a plain number.
        better: ``lower``, ``higher``, or empty where neither is.
        reached: Share of the asked edits that it is of; 1 where all count.
        resampled: The same number on each resample, with shape :math:`(B,)`; None where there are none.
    """

    name: str
    value: float
    low: float
    high: float
    num: int
    unit: str
    better: str
    reached: float = 1.0
    resampled: Tensor | None = None


def percentiles(statistics: Tensor) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a statistic that was computed on each resample; nan ones do not count."""
    quantiles = torch.tensor([0.025, 0.975], dtype=torch.float64)
    low, high = torch.nanquantile(statistics.double(), quantiles.to(statistics.device)).tolist()
    return low, high


class Bootstrap:
    """95 % percentile intervals over latents, the same resamples for every score of an evaluation.

    Arguments:
        num: Number of latents.
        resamples: Number of resamples.
        rng: Source of the draws.
    """

    def __init__(self, num: int, resamples: int, rng: torch.Generator) -> None:
        self.index = torch.randint(num, (resamples, num), generator=rng)

    def interval(self, statistics: Tensor) -> tuple[float, float]:
        """Return the ends of the interval of a statistic that was computed on each resample."""
        return percentiles(statistics)

    def score(self, name: str, values: Tensor, unit: str, better: str) -> Score:
        """Return the mean of per-latent values :math:`(N, \\dots)` with its interval; entries that are nan do not
        count.

        Arguments:
            name: The score's name.
            values: Its values, a row for each latent.
            unit: The unit, for tables.
            better: ``lower`` or ``higher``; empty where neither is.
        """
        require_better(better)
        per_latent = values.double().flatten(1).nanmean(1) if values.ndim > 1 else values.double()
        means = per_latent[self.index].nanmean(1)
        interval = self.interval(means)
        return Score(name, per_latent.nanmean().item(), *interval, len(values), unit, better, resampled=means)

    def median(self, name: str, values: Tensor, unit: str, better: str) -> Score:
        """Return the median over all latents and what was measured of each, with its interval; as :meth:`score`."""
        require_better(better)
        rows = values.double().flatten(1) if values.ndim > 1 else values.double()[:, None]
        medians = torch.stack([rows[index].flatten().nanmedian() for index in self.index])
        value = rows.flatten().nanmedian().item()
        return Score(name, value, *self.interval(medians), len(values), unit, better, resampled=medians)


def require_better(better: str) -> None:
    """Check which way is better."""
    if better not in ("lower", "higher", ""):
        raise ValueError(f"better must be one of ('lower', 'higher', ''), got {better!r}")


class Resample(NamedTuple):
    """One redraw of all latents of an evaluation: scoring, ranking and prior ones.

    Arguments:
        scoring: The scoring latents, with shape :math:`(N,)`.
        deviation: The attributes' deviations over the redrawn prior, with shape :math:`(A,)`.
        judged: The judges' deviations, with shape :math:`(J,)`.
        positions: The candidate that would have been chosen for each target, with shape :math:`(T,)`.
        agrees: Whether the redrawn ranking latents give each candidate the sign that it was searched with, with shape
            :math:`(Q,)`.
    """

    scoring: Tensor
    deviation: Tensor
    judged: Tensor
    positions: Tensor
    agrees: Tensor


def score_resamples(
    statistics: Callable[[Resample], dict[str, float]],
    resamples: Sequence[Resample],
    num: int,
    kinds: Callable[[str], tuple[str, str]],
    reached: Callable[[str], float] = lambda name: 1.0,
) -> list[Score]:
    """Return scores with their intervals.

    Arguments:
        statistics: Computes the numbers by name, of one redraw of the latents.
        resamples: The latents as they were drawn first, then the redraws.
        num: Number of scoring latents.
        kinds: Returns unit and better side of a name.
        reached: Returns the share of the asked edits behind a name.
    """
    values, *redrawn = [statistics(resample) for resample in resamples]
    scores = []
    for name, value in values.items():
        unit, better = kinds(name)
        require_better(better)
        spread = torch.tensor([one[name] for one in redrawn], dtype=torch.float64)
        interval = percentiles(spread) if spread.isfinite().any() else (float("nan"),) * 2
        scores.append(Score(name, value, *interval, num, unit, better, reached(name), spread))
    return scores
