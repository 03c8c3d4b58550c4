"""Attribute dependency: the field's own measure of side effects."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from latent_lab.metrics.base import Measurement, Score, Setting
from latent_lab.metrics.bootstrap import Resample, score_resamples
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

        def statistics(resample: Resample) -> dict[str, float]:
            taken, index = resample.positions, resample.scoring
            change = observed["change"][index][:, taken][..., targets].double()  # (N, T, C, T)
            reached = observed["reached"][index][:, taken] & resample.agrees[None, taken, None]
            sizes = (change / resample.deviation[targets].double()).abs()
            own = targets.new_ones(len(targets)).diag().bool()[None, :, None, :].expand(sizes.shape)
            others = sizes[~own].view(*sizes.shape[:3], -1)
            found = {}
            for name, values in (("mean", others.nanmean(-1)), ("max", others.amax(-1))):
                means = mean_where(values, reached & values.isfinite())
                for size in protocol.sizes:
                    per_target = mean_over_signs(means, list(protocol.changes), size)
                    found[f"dependency/{size:g}/{name}"] = per_target.nanmean().item()
            return found

        first = setting.resamples[0].positions
        reached, asked = (observed[part][:, first].double().sum() for part in ("reached", "asked"))
        share = (reached / asked).item()
        num = len(observed["change"])
        return score_resamples(
            statistics, setting.resamples, num, lambda name: ("standard deviations", "lower"), lambda name: share
        )
