"""Attribute dependency: the field's own measure of side effects."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from latent_lab.metrics.base import NAN, Measurement, Score, Setting
from latent_lab.metrics.bootstrap import Resamples, score_resamples
from latent_lab.metrics.selectivity import mean_over_signs, mean_where
from latent_lab.metrics.views import Views


class AttributeDependency(Measurement):
    r"""Mean and largest change of the other targets, in standard deviations, where an edit has changed its own target
    by the wanted change.

    .. math::
        \mathrm{AD}_\mathrm{mean} = \mathbb{E}\,\tfrac{1}{|T| - 1} \sum_{j \neq k} |d_j|,\qquad
        \mathrm{AD}_\mathrm{max} = \mathbb{E} \max_{j \neq k} |d_j|

    over the asked latents that reached it, then over both signs and all targets.

    References:
        | StyleSpace Analysis: Disentangled Controls for StyleGAN Image Generation (Wu et al., 2021), Section 5
        | https://arxiv.org/abs/2011.12799
    """

    needs = ("equal",)

    def observe(self, views: Views) -> dict[str, Tensor]:
        equal = views.equal
        return {"change": equal.change, "reached": (equal.outcome == 0) & equal.asked, "asked": equal.asked}

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        targets, protocol = setting.plan.measured.columns, setting.protocol
        if len(targets) < 2:
            return []

        every, narrow = torch.arange(len(targets)), observed["change"][..., targets]

        def statistics(resamples: Resamples) -> dict[str, Tensor]:
            positions = resamples.positions
            change = resamples.take(narrow, positions).double()  # (B, N, T, C, T)
            reached = resamples.take(observed["reached"], positions) & resamples.take_agrees(positions)
            sizes = (change / resamples.deviation[:, None, None, None, targets].double()).abs()
            own = (every[:, None] == every)[:, None]
            others = {
                "mean": sizes.where(~own, torch.full_like(sizes, NAN)).nanmean(-1),
                "max": sizes.where(~own, torch.zeros_like(sizes)).amax(-1),
            }
            found = {}
            for name, values in others.items():
                means = mean_where(values, reached & values.isfinite())
                for size in protocol.sizes:
                    per_target = mean_over_signs(means, list(protocol.changes), size)
                    found[f"dependency/{size:g}/{name}"] = per_target.nanmean(-1)
            return found

        first = setting.resamples.positions[0]
        reached, asked = (observed[part][:, first].double().sum() for part in ("reached", "asked"))
        share = (reached / asked).item()
        size = narrow[:, : len(targets)].numel()
        return score_resamples(
            statistics, setting.resamples, size, lambda name: ("standard deviations", "lower"), lambda name: share
        )
