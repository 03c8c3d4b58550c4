"""Intervals of a score over latents."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.figures.page import Row


class Bootstrap:
    """95 % percentile intervals over latents, the same resamples for every score of an evaluation."""

    def __init__(self, num: int, resamples: int, rng: torch.Generator) -> None:
        self.index = torch.randint(num, (resamples, num), generator=rng)

    def interval(self, statistics: Tensor) -> tuple[float, float]:
        low, high = statistics.double().quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
        return low, high

    def row(self, name: str, values: Tensor, unit: str, better: str) -> Row:
        """The mean of per-latent values :math:`(N, \\dots)`; entries that are nan do not count."""
        per_latent = values.double().flatten(1).nanmean(1) if values.ndim > 1 else values.double()
        means = per_latent[self.index].nanmean(1)
        return Row(name, per_latent.nanmean().item(), *self.interval(means), len(values), unit, better)
