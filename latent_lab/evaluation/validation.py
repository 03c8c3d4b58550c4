"""The metrics of an evaluation, as far as a training's validation can see what they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from latent_lab.edits.moves import Moves
from latent_lab.edits.views import Pair, View
from latent_lab.evaluation.observe import require_rows, sequences_of
from latent_lab.evaluation.score import obstacle, own_rows
from latent_lab.evaluation.subject import Subject
from latent_lab.metrics.base import Bootstrap, Measurement, Setting
from latent_lab.metrics.views import Single, Views


class Validation:
    """Measures paths that are being trained, on the edits of the training.

    Of the metrics, those take part that need sequences of edits or latents of single edits: no path stands for an
    attribute yet, so that nothing is at equal change.

    Arguments:
        subject: The paths that are trained, and what measures them.
        metrics: The metrics, by their names.
        seed: Seed of the latents that metrics draw themselves.
    """

    def __init__(self, subject: Subject, metrics: Mapping[str, Measurement], seed: int) -> None:
        seen = sequences_of(metrics) | {"single"}
        self.subject, self.seed = subject, seed
        self.metrics = {
            name: metric
            for name, metric in metrics.items()
            if metric.needs and set(metric.needs) <= seen and not obstacle(metric, subject)
        }
        self.sequences = sequences_of(self.metrics)
        self.parts: list[dict[str, Tensor]] = []

    @torch.no_grad()
    def update(self, moves: Moves, pair: Pair, sequences: Mapping[str, View]) -> None:
        """Take the views of a batch of moves: those of ``self.sequences``, of the original and of the edit ``k``."""
        before, after = sequences[""].latents, sequences["k"].latents
        returned = self.subject.paths.shift(after, pair.k, -pair.eps_k, moves.codes.given)
        single = Single(before, after, returned, pair.eps_k)
        views = Views(self.subject, len(before), sequences, pair, single_edits=single)
        self.parts.append(
            {
                f"{name}/{part}": rows
                for name, metric in self.metrics.items()
                for part, rows in require_rows(name, metric.observe(views), len(before)).items()
            }
        )

    def compute(self, gather: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the scores by name, and forget what was seen.

        Arguments:
            gather: Stacks the same tensor of all ranks; one rank gives it back as it is.
        """
        parts, self.parts = self.parts, []
        if not parts or not parts[0]:
            return {}
        observed = {name: gather(torch.cat([part[name] for part in parts])) for name in parts[0]}
        rank = {name: values.ndim - parts[0][name].ndim for name, values in observed.items()}
        observed = {name: (rows.flatten(0, 1) if rank[name] else rows).cpu() for name, rows in observed.items()}
        num = len(next(iter(observed.values())))
        setting = Setting(self.subject, self.seed, Bootstrap(num, 1, torch.Generator().manual_seed(self.seed)))
        return {
            score.name: score.value
            for name, metric in self.metrics.items()
            for score in metric.scores(own_rows(observed, name), setting)
        }
