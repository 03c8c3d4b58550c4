"""Scores, and their intervals over latents."""

from __future__ import annotations

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
    """

    name: str
    value: float
    low: float
    high: float
    num: int
    unit: str
    better: str


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
        low, high = statistics.double().quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
        return low, high

    def score(self, name: str, values: Tensor, unit: str, better: str) -> Score:
        """Return the mean of per-latent values :math:`(N, \\dots)` with its interval; entries that are nan do not
        count.

        Arguments:
            name: The score's name.
            values: Its values, a row for each latent.
            unit: The unit, for tables.
            better: ``lower`` or ``higher``; empty where neither is.
        """
        if better not in ("lower", "higher", ""):
            raise ValueError(f"better must be one of ('lower', 'higher', ''), got {better!r}")
        per_latent = values.double().flatten(1).nanmean(1) if values.ndim > 1 else values.double()
        means = per_latent[self.index].nanmean(1)
        return Score(name, per_latent.nanmean().item(), *self.interval(means), len(values), unit, better)
