"""Redraws of the ranking latents and of the prior, with what would have been chosen on them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latent_lab.edits.equal_change import REACHED
from latent_lab.evaluation.choice import find_signs
from latent_lab.evaluation.measured import Measured, choose_positions
from latent_lab.evaluation.originals import suppress_rounding
from latent_lab.evaluation.plan import Plan
from latent_lab.metrics.bootstrap import Resample
from latent_lab.metrics.selectivity import selectivity_of
from latent_lab.ops.circular import deviation

LIKELY = 0.05  # share of the redraws that choose a candidate, from which on it is scored


def redraw(plan: Plan, judged_periods: Sequence[float], num: int, rng: torch.Generator) -> list[Resample]:
    """Return the choice on the latents as they were drawn, then on redraws of them.

    Each draws samples of the prior and ranking latents with replacement, measures the deviations again, finds the signs
    again, and chooses again among the candidates. ``scoring`` is empty.

    Arguments:
        plan: The chosen paths, with what was measured on the ranking latents.
        judged_periods: Full turn of each of the judges' attributes that is an angle; 0 for the others.
        num: Number of redraws.
        rng: Source of the latents.
    """
    originals, measured = plan.originals, plan.measured
    wanted, ranked = measured.wanted, measured.ranked
    num_prior, num_ranking = len(originals.prior), len(originals.ranking)
    before = originals.ranking[:, None, None].expand_as(ranked.attributes)
    change = measured.attributes.change(before, ranked.attributes)
    reached, changes = ranked.outcome == REACHED, measured.rules.changes
    best = slice(0, measured.num_best)
    short = measured.first.change[:, wanted.paths]  # (R, Q, 2, A)

    def choose(chosen: Tensor, over: Tensor) -> Resample:
        """Choose on some ranking latents and samples of the prior."""
        spread = suppress_rounding(deviation(originals.prior[over], originals.periods))
        judged = suppress_rounding(deviation(originals.judged[over], judged_periods))
        own = short[chosen].gather(3, wanted.attributes[None, :, None, None].expand(len(chosen), -1, 2, 1))
        agrees = find_signs(own)[:, 0] == wanted.signs
        share = selectivity_of(
            change[chosen], reached[chosen] & agrees[:, None], wanted.attributes, measured.columns, spread
        )
        positions = choose_positions(
            share[:, best], measured.asked[chosen][:, best], changes, measured.each, measured.scored[best]
        )
        return Resample(torch.zeros(0, dtype=torch.long), spread, judged, positions, agrees)

    found = [choose(torch.arange(num_ranking), torch.arange(num_prior))]
    for _ in range(num):
        ranking = torch.randint(num_ranking, (num_ranking,), generator=rng)
        prior = torch.randint(num_prior, (num_prior,), generator=rng)
        found.append(choose(ranking, prior))
    return found


def find_likely(resamples: Sequence[Resample], measured: Measured) -> Tensor:
    """Return which candidates are scored, with shape :math:`(Q,)`: those that at least 5 % of the redraws choose, the
    chosen ones, and those of the targets' names. The others would cost as much as these."""
    chosen = torch.cat([resample.positions for resample in resamples])
    counts = torch.bincount(chosen, minlength=len(measured.wanted.paths))
    likely = counts >= LIKELY * len(resamples)
    likely[measured.positions] = True
    likely[measured.named[measured.named >= 0]] = True
    return likely
