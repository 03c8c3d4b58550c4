"""The observation of each latent: every edit and every image is made once, for all metrics."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from latent_lab.edits.moves import Moves
from latent_lab.edits.views import Pair, View, apply_sequence, view_in_batches
from latent_lab.evaluation.plan import Plan
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.subject import Subject
from latent_lab.gans.space import Codes
from latent_lab.metrics.base import SCORING, Measurement
from latent_lab.metrics.views import Equal, Single, Views, spread
from latent_lab.ops.streams import EVALUATION, stream


def pairs_of(first: int, num: int, pairs: int, num_paths: int) -> Tensor:
    """Return the positions (one, other) of the ordered pairs that latents ``first`` to ``first + num`` take in turn,
    with shape :math:`(n, m, 2)`."""
    every = torch.tensor([(i, j) for i in range(num_paths) for j in range(num_paths) if i != j] or [(0, 0)])
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
    codes = subject.paths.anchor(space, space.sample(num, stream(protocol.seed, SCORING, first, EVALUATION)))
    views = views_of(subject, plan, protocol, metrics, codes, first)
    return {
        f"{name}/{part}": values.cpu()
        for name, metric in metrics.items()
        for part, values in require_rows(name, metric.observe(views), num).items()
    }


def views_of(
    subject: Subject, plan: Plan, protocol: Protocol, metrics: Mapping[str, Measurement], codes: Codes, first: int
) -> Views:
    """Return all that the metrics need to see of codes, of which the first one has the number ``first``."""
    num, device = len(codes.latents), subject.space.device
    needs, names = {need for metric in metrics.values() for need in metric.needs}, sequences_of(metrics)
    original = None
    if names or "equal" in needs:
        original = view_in_batches(subject.space, codes, subject.attributes, subject.identity, protocol.batch_size)
    positions, pair, sequences = None, None, {}
    if names and original is not None:  # at equal length, in both orders and undone
        positions = pairs_of(first, num, protocol.pairs, len(plan.chosen)).to(device)
        one, other = plan.paths.to(device)[positions].flatten(0, 1).unbind(1)
        amounts = plan.amounts.to(device)
        pair = Pair(one, other, amounts[one], amounts[other])
        many = codes.repeat(protocol.pairs)
        moves = Moves(many, one, pair.eps_k)
        sequences[""] = View(*[None if v is None else v.repeat_interleave(protocol.pairs, 0) for v in original])
        for name in sorted(names - {""}):
            after = many.moved(apply_sequence(subject.paths, moves, pair, name))
            sequences[name] = view_in_batches(subject.space, after, subject.attributes, None, protocol.batch_size)
    return Views(
        subject,
        num,
        sequences,
        pair,
        positions,
        single=single_edits(subject, plan, codes) if "single" in needs else None,
        equal=equal_edits(subject, plan, protocol, codes, original) if "equal" in needs and original else None,
        deviation=plan.deviation.to(device) if subject.attributes is not None else None,
    )


def single_edits(subject: Subject, plan: Plan, codes: Codes) -> Single:
    """Return the latents of the edits by each chosen path at equal length."""
    many, k = codes.repeat(len(plan.chosen)), plan.paths.to(subject.space.device).repeat(len(codes.latents))
    eps = plan.amounts.to(k.device)[k]
    edited = subject.paths.shift(many.latents, k, eps, many.given)
    return Single(many.latents, edited, subject.paths.shift(edited, k, -eps, many.given), eps)


def equal_edits(subject: Subject, plan: Plan, protocol: Protocol, codes: Codes, original: View) -> Equal:
    """Return the edits by each chosen path that change its own attribute as much as the protocol says."""
    num, device = len(codes.latents), subject.space.device
    within = plan.equal.isfinite()
    where = within.nonzero()
    before = View(*[None if v is None else v.repeat_interleave(len(where), 0) for v in original._replace(images=None)])
    if not len(where):
        change = torch.full((num, *within.shape, len(subject.attributes.names)), float("nan"), device=device)
        return Equal(within.expand(num, -1, -1).to(device), before, before, change)
    many = codes.repeat(len(where))
    k = plan.paths.to(device)[where[:, 0].to(device)].repeat(num)
    eps = plan.equal[within].to(device).repeat(num)
    moved = many.moved(subject.paths.shift(many.latents, k, eps, many.given))
    after = view_in_batches(
        subject.space, moved, subject.attributes, subject.identity, protocol.batch_size, keep_images=False
    )
    change = subject.attributes.change(before.attributes, after.attributes) / plan.deviation.to(device).clamp_min(1e-6)
    reached = within.expand(num, -1, -1).to(device)
    return Equal(reached, before, after, spread(change, reached))


def require_rows(name: str, observed: dict[str, Tensor], num: int) -> dict[str, Tensor]:
    """Return what a metric observed; raise an error where it does not have a row for each latent."""
    for part, values in observed.items():
        if values.ndim < 1 or len(values) != num:
            raise ValueError(
                f"metric {name}: observe must return tensors with a row for each of the {num} latents, "
                f"got {part} of {tuple(values.shape)}"
            )
    return observed
