"""What is seen of each latent: every image is made once and read by all scores."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.edits.moves import Moves
from latent_lab.edits.views import Pair, View, after_sequence, view_in_batches
from latent_lab.evaluation.plan import Plan
from latent_lab.evaluation.protocol import SCORING, Protocol
from latent_lab.evaluation.subject import Subject
from latent_lab.metrics.commutativity import CommutativityError, commutativity_error
from latent_lab.metrics.identity import identity_error
from latent_lab.ops.streams import EVALUATION, stream


def pairs_of(first: int, num: int, pairs: int, num_paths: int) -> Tensor:
    """Positions (one, other) of the ordered pairs that latents ``first`` to ``first + num`` take in turn, with shape
    :math:`(n, m, 2)`."""
    every = torch.tensor([(i, j) for i in range(num_paths) for j in range(num_paths) if i != j] or [(0, 0)])
    turns = torch.arange(first * pairs, (first + num) * pairs) % len(every)
    return every[turns].unflatten(0, (num, pairs))


@torch.no_grad()
def observe(subject: Subject, plan: Plan, protocol: Protocol, first: int, num: int) -> dict[str, Tensor]:
    """Everything that scores need of latents ``first`` to ``first + num``, a row each. Images are made once and not
    kept.

    A row depends on the protocol's seed and its number alone, so that an evaluation continues where it was interrupted.
    """
    space, paths, attributes, identity = subject.space, subject.paths, subject.attributes, subject.identity
    device = space.device
    codes = paths.anchor(space, space.sample(num, stream(protocol.seed, SCORING, first, EVALUATION)))
    original = view_in_batches(space, codes, attributes, identity, protocol.batch_size)
    indices, amounts = plan.paths.to(device), plan.amounts.to(device)
    found: dict[str, Tensor] = {}

    # single edits at equal length: only latents are needed
    many = codes.repeat(len(indices))
    k = indices.repeat(num)
    eps = amounts[k]
    edited = paths.shift(many.latents, k, eps, many.given)
    returned = paths.shift(edited, k, -eps, many.given)
    length = torch.linalg.vector_norm((space.visible(edited) - space.visible(many.latents)).flatten(1), dim=1)
    found["length/realised"] = length
    found["length/per_amount"] = length / eps.abs()
    found["radius"] = space.radius(edited)
    found["prior/radius_ratio"] = found["radius"] / space.radius(many.latents)
    found["round_trip/latents"] = commutativity_error(many.latents, returned, edited)
    found = {name: value.unflatten(0, (num, len(indices))) for name, value in found.items()}

    # single edits at equal change of the path's own attribute
    reached = plan.equal.isfinite()
    if attributes is not None:
        shape = (num, *reached.shape)
        found["change"] = torch.full((*shape, len(attributes.names)), float("nan"), device=device)
        found["identity"] = torch.full(shape, float("nan"), device=device)
        where = reached.nonzero()
        if len(where):
            many = codes.repeat(len(where))
            k = indices[where[:, 0].to(device)].repeat(num)
            eps = plan.equal[reached].to(device).repeat(num)
            moved = many.moved(paths.shift(many.latents, k, eps, many.given))
            after = view_in_batches(space, moved, attributes, identity, protocol.batch_size, keep_images=False)
            before = original.attributes.repeat_interleave(len(where), 0)
            change = attributes.change(before, after.attributes) / plan.deviation.to(device).clamp_min(1e-6)
            found["change"][:, reached] = change.unflatten(0, (num, len(where)))
            if identity is not None:
                error = identity_error(original.identity.repeat_interleave(len(where), 0), after.identity)
                found["identity"][:, reached] = error.unflatten(0, (num, len(where)))

    # pairs of edits at equal length, in both orders and undone
    positions = pairs_of(first, num, protocol.pairs, len(indices)).to(device)
    found["pair"] = positions
    one, other = indices[positions].flatten(0, 1).unbind(1)
    pair = Pair(one, other, amounts[one], amounts[other])
    many = codes.repeat(protocol.pairs)
    moves = Moves(many, one, pair.eps_k)
    views = {"": View(*[None if v is None else v.repeat_interleave(protocol.pairs, 0) for v in original])}
    for name in ("kl", "lk", "klKL"):
        after = many.moved(after_sequence(paths, moves, pair, name))
        views[name] = view_in_batches(space, after, attributes, None, protocol.batch_size)
    for form in CommutativityError.forms:
        for level in CommutativityError.levels[: 3 if attributes is not None else 2]:
            metric = CommutativityError(level, form, attributes.change if attributes is not None else None).to(device)
            metric.update(views, pair)
            error = metric.values()
            if level == "attributes":
                error = 100 * error / plan.deviation.to(device).clamp_min(1e-6)
            found[f"commutativity/{form}/{level}"] = error.unflatten(0, (num, protocol.pairs))
        if subject.perceptual is not None:
            a, b = ("kl", "lk") if form == "swap" else ("klKL", "")
            distance = subject.perceptual(views[a].images, views[b].images).flatten()
            found[f"commutativity/{form}/perceptual"] = distance.unflatten(0, (num, protocol.pairs))
    return {name: value.cpu() for name, value in found.items()}
