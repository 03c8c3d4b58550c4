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
from latent_lab.metrics.bootstrap import AT_ONCE, Resamples
from latent_lab.metrics.selectivity import selectivity_of
from latent_lab.ops.circular import deviation

LIKELY = 0.05  # share of the redraws that choose a candidate, from which on it is scored


def redraw(plan: Plan, judged_periods: Sequence[float], num: int, rng: torch.Generator) -> Resamples:
    """Return the choice on the latents as they were drawn, then on redraws of them, of samples of the prior and ranking
    latents with replacement.

    Arguments:
        plan: The chosen paths, with what was measured on the ranking latents.
        judged_periods: Full turn of each of the judges' attributes that is an angle; 0 for the others.
        num: Number of redraws.
        rng: Source of the latents.
    """
    ranking, prior = ([torch.arange(len(values))] for values in (plan.originals.ranking, plan.originals.prior))
    for _ in range(num):
        for index in (ranking, prior):
            index.append(torch.randint(len(index[0]), (len(index[0]),), generator=rng))
    step = max(1, AT_ONCE // max(plan.originals.prior.numel(), plan.measured.ranked.attributes.numel()))
    parts = zip(torch.stack(ranking).split(step), torch.stack(prior).split(step))
    found = [choose_again(plan, judged_periods, *part) for part in parts]
    return Resamples(*[torch.cat(values) for values in zip(*found)])


def choose_again(plan: Plan, judged_periods: Sequence[float], ranking: Tensor, prior: Tensor) -> Resamples:
    """Measure the deviations again, find the signs again, and choose again among the candidates; ``scoring`` is empty.

    Arguments:
        plan, judged_periods: See :func:`redraw`.
        ranking: Ranking latents of each of B redraws, with shape :math:`(B, R)`.
        prior: Samples of the prior, with shape :math:`(B, M)`.
    """
    originals, measured = plan.originals, plan.measured
    wanted, ranked, best = measured.wanted, measured.ranked, slice(0, measured.num_best)
    spread = suppress_rounding(deviation(originals.prior[prior], originals.periods))
    judged = suppress_rounding(deviation(originals.judged[prior], judged_periods))
    own = measured.first.change[:, wanted.paths, :, wanted.attributes].movedim(0, 1)[..., None]  # (R, Q, 2, 1)
    agrees = find_signs(own[ranking])[..., 0] == wanted.signs
    before = originals.ranking[:, None, None].expand_as(ranked.attributes)
    change = measured.attributes.change(before, ranked.attributes)[:, best][..., measured.columns]
    reached = (ranked.outcome == REACHED)[:, best][ranking] & agrees[:, None, best, None]
    target = torch.arange(len(measured.columns))
    share = selectivity_of(
        change[ranking], reached, target.repeat_interleave(measured.each), target, spread[:, measured.columns]
    )
    positions = choose_positions(
        share, measured.asked[:, best][ranking], measured.rules.changes, measured.each, measured.scored[best]
    )
    return Resamples(ranking[:, :0], spread, judged, positions, agrees)


def find_likely(resamples: Resamples, measured: Measured) -> Tensor:
    """Return which candidates are scored, with shape :math:`(Q,)`: those that at least 5 % of the redraws choose, the
    chosen ones, and those of the targets' names. The others would cost as much as these."""
    counts = torch.bincount(resamples.positions.flatten(), minlength=len(measured.wanted.paths))
    likely = counts >= LIKELY * len(resamples.positions)
    likely[measured.positions] = True
    likely[measured.named[measured.named >= 0]] = True
    return likely
