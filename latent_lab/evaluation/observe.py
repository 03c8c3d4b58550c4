"""The observation of each latent: every edit and every image is made once, for all metrics."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from latent_lab.edits.equal_change import REACHED
from latent_lab.edits.moves import Moves
from latent_lab.edits.views import Pair, View, apply_sequence, view_in_batches
from latent_lab.evaluation.originals import sample
from latent_lab.evaluation.plan import Plan
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.subject import Subject
from latent_lab.gans.codes import Codes
from latent_lab.metrics.base import SCORING, Measurement
from latent_lab.metrics.views import Equal, Single, Views, spread


def pairs_of(first: int, num: int, pairs: int, paths: Tensor) -> Tensor:
    """Return the positions (one, other) of the ordered pairs of different paths that latents ``first`` to ``first +
    num`` take in turn, with shape :math:`(n, m, 2)`.

    Arguments:
        first, num: Number of the first latent, and how many there are.
        pairs: Pairs of each latent.
        paths: Numbers of the chosen paths; one that stands for two attributes is not exchanged with itself.
    """
    size = range(len(paths))
    every = torch.tensor([(i, j) for i in size for j in size if paths[i] != paths[j]])
    turns = torch.arange(first * pairs, (first + num) * pairs) % len(every)
    return every[turns].unflatten(0, (num, pairs))


def sequences_of(metrics: Mapping[str, Measurement]) -> set[str]:
    """Return the sequences of edits that the metrics need, by their letters."""
    return {need for metric in metrics.values() for need in metric.needs if set(need) <= set("klKL")}


@torch.no_grad()
def observe(
    subject: Subject, plan: Plan, protocol: Protocol, metrics: Mapping[str, Measurement], first: int, num: int
) -> dict[str, Tensor]:
    """Return what the metrics keep of latents ``first`` to ``first + num``, a row each, as ``<metric>/<name>``.

    A row depends on the protocol's seed and its number alone, so that an evaluation continues where it was interrupted.
    """
    space = subject.space
    codes = subject.paths.anchor(space, sample(space, protocol, SCORING, first, num))
    views = views_of(subject, plan, protocol, metrics, codes, first)
    return {
        f"{name}/{part}": values.cpu().clone()  # metrics may keep the same tensor; files do not share memory
        for name, metric in metrics.items()
        for part, values in require_rows(name, metric.observe(views), num).items()
    }


def views_of(
    subject: Subject, plan: Plan, protocol: Protocol, metrics: Mapping[str, Measurement], codes: Codes, first: int
) -> Views:
    """Return all that the metrics need to see of codes, of which the first one has the number ``first``."""
    num, device, measured = len(codes.latents), subject.space.device, plan.measurements
    needs, names = {need for metric in metrics.values() for need in metric.needs}, sequences_of(metrics)
    original = None
    if names or "equal" in needs:
        original = view_in_batches(subject.space, codes, subject.attributes, None, protocol.batch_size)
    positions, pair = None, None
    sequences: dict[str, View] = {}
    if names and original is not None:  # at equal length, in both orders and undone
        positions = pairs_of(first, num, protocol.pairs, plan.paths).to(device)
        one, other = plan.paths.to(device)[positions].flatten(0, 1).unbind(1)
        amounts = plan.amounts.to(device)
        pair = Pair(one, other, amounts[one], amounts[other])
        many = codes.repeat(protocol.pairs)
        moves = Moves(many, one, pair.eps_k)
        sequences[""] = original.repeat_interleave(protocol.pairs)
        for name in sorted(names - {""}):
            after = many.moved(apply_sequence(subject.paths, moves, pair, name))
            sequences[name] = view_in_batches(subject.space, after, subject.attributes, None, protocol.batch_size)
    return Views(
        subject,
        num,
        sequences,
        pair,
        positions,
        single_edits=single_edits(subject, plan, codes) if "single" in needs else None,
        equal_edits=equal_edits(subject, plan, protocol, codes, original)
        if original is not None and "equal" in needs
        else None,
        deviation=None if measured is None else measured.deviation.to(device),
        columns=None if measured is None else measured.columns.to(device),
    )


def single_edits(subject: Subject, plan: Plan, codes: Codes) -> Single:
    """Return the latents of the edits by each chosen path at equal length."""
    many, k = codes.repeat(len(plan.chosen)), plan.paths.to(subject.space.device).repeat(len(codes.latents))
    eps = plan.amounts.to(k.device)[k]
    edited = subject.paths.shift(many.latents, k, eps, many.given)
    return Single(many.latents, edited, subject.paths.shift(edited, k, -eps, many.given), eps)


def equal_edits(subject: Subject, plan: Plan, protocol: Protocol, codes: Codes, original: View) -> Equal:
    """Return the edits by each candidate path that change its target as much as the protocol says, and another look at
    those of the chosen paths.

    Arguments:
        subject, plan, protocol: The paths, the chosen ones, and the rules of the evaluation.
        codes: N anchored codes.
        original: Their views.
    """
    space, measured, before = subject.space, plan.measured, original.require_attributes()
    attributes, rules, wanted = measured.attributes, measured.rules, measured.wanted
    asked = plan.originals.asked(before, wanted.attributes, rules.changes, attributes)
    found = rules.search(space, subject.paths, attributes, codes, before, wanted, asked & measured.scored[:, None])
    change = attributes.change(before[:, None, None].expand_as(found.attributes), found.attributes)
    taken, device = measured.positions.to(space.device), space.device
    asked_of_chosen = asked.to(device)[:, taken]
    reached = (found.outcome[:, taken] == REACHED) & asked_of_chosen
    latent, target, column = reached.nonzero(as_tuple=True)
    start = codes.select(latent)
    k = wanted.paths.to(device)[taken][target]
    amounts = found.amounts[:, taken][latent, target, column]
    nothing = original.without_images().images[latent]
    start_view = View(start.latents, nothing, before[latent])
    end_view = View(
        subject.paths.shift(start.latents, k, amounts, start.given),
        nothing,
        found.attributes[:, taken][latent, target, column],
    )
    judged = torch.zeros(*reached.shape, 0, device=device)
    if subject.identity is not None or subject.judges is not None:
        unedited, edited = (
            view_in_batches(space, some, subject.judges, subject.identity, protocol.batch_size, keep_images=False)
            for some in (codes, start.moved(end_view.latents) if len(latent) else codes)
        )
        count = slice(0, len(latent))  # nothing is left where no change was reached
        if subject.identity is not None:
            start_view = start_view._replace(identity=unedited.require_identity()[latent])
            end_view = end_view._replace(identity=edited.require_identity()[count])
        if subject.judges is not None:
            ends = unedited.require_attributes()[latent], edited.require_attributes()[count]
            judged = spread(subject.judges.change(*ends), reached)
    return Equal(asked.to(device), found.outcome, change, reached, start_view, end_view, judged, asked_of_chosen)


def require_rows(name: str, observed: dict[str, Tensor], num: int) -> dict[str, Tensor]:
    """Return what a metric observed; raise an error where it does not have a row for each latent."""
    for part, values in observed.items():
        if values.ndim < 1 or len(values) != num:
            raise ValueError(
                f"metric {name}: observe must return tensors with a row for each of the {num} latents, "
                f"got {part} of {tuple(values.shape)}"
            )
    return observed
