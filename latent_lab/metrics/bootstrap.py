"""Scores, and their intervals over latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

AT_ONCE = 2**19  # values of redraws that are computed together


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


class Resamples(NamedTuple):
    """Redraws of all latents of an evaluation, B of them: scoring, ranking and prior ones. The first is the latents as
    they were drawn.

    Arguments:
        scoring: The scoring latents, with shape :math:`(B, N)`.
        deviation: The attributes' deviations over the redrawn prior, with shape :math:`(B, A)`.
        judged: The judges' deviations, with shape :math:`(B, J)`.
        positions: The candidate that would have been chosen for each target, with shape :math:`(B, T)`.
        agrees: Whether the redrawn ranking latents give each candidate the sign that it was searched with, with shape
            :math:`(B, Q)`.
    """

    scoring: Tensor
    deviation: Tensor
    judged: Tensor
    positions: Tensor
    agrees: Tensor

    def select(self, rows: slice) -> Resamples:
        """Return some of the redraws."""
        return Resamples(*[values[rows] for values in self])

    def take(self, values: Tensor, positions: Tensor) -> Tensor:
        """Return the values of the redrawn scoring latents, with shape :math:`(B, N, T, \\dots)`.

        Arguments:
            values: Values of each latent and candidate, with shape :math:`(N, Q, \\dots)`.
            positions: Candidates in each redraw, with shape :math:`(B, T)`.
        """
        index = self.scoring[:, :, None] * values.shape[1] + positions[:, None]
        return values.flatten(0, 1).index_select(0, index.flatten()).unflatten(0, index.shape)

    def take_agrees(self, positions: Tensor) -> Tensor:
        """Return whether candidates :math:`(B, T)` have the sign that they were searched with, with shape :math:`(B, 1,
        T, 1)`, for all latents and changes."""
        return self.agrees.gather(1, positions)[:, None, :, None]


def score_resamples(
    statistics: Callable[[Resamples], dict[str, Tensor]],
    resamples: Resamples,
    size: int,
    kinds: Callable[[str], tuple[str, str]],
    reached: Callable[[str], float] = lambda name: 1.0,
) -> list[Score]:
    """Return scores with their intervals.

    Arguments:
        statistics: Computes the numbers by name, each with shape :math:`(B,)`, of B redraws of the latents.
        resamples: The redraws.
        size: About how many values the numbers of one redraw are made of: so many redraws are taken at once as memory
            allows.
        kinds: Returns unit and better side of a name.
        reached: Returns the share of the asked edits behind a name.
    """
    num, latents = resamples.scoring.shape
    step = max(1, AT_ONCE // max(size, 1))
    parts = [statistics(resamples.select(slice(i, i + step))) for i in range(0, num, step)]
    scores = []
    for name in parts[0]:
        unit, better = kinds(name)
        require_better(better)
        values = torch.cat([part[name] for part in parts]).double()
        redrawn = values[1:].clone()
        interval = percentiles(redrawn) if redrawn.isfinite().any() else (float("nan"),) * 2
        scores.append(Score(name, values[0].item(), *interval, latents, unit, better, reached(name), redrawn))
    return scores
