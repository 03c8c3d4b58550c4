"""One protocol for every method: which paths, how far, on which latents; each image is made once and read by all scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from latent_lab.attributes.base import Attributes
from latent_lab.data.edits import Pair, View, after_sequence, amounts_for_length, view
from latent_lab.data.moves import EVALUATION, Moves, stream
from latent_lab.gans.space import Codes, LatentSpace
from latent_lab.metrics.commutativity import CommutativityError, commutativity_error
from latent_lab.metrics.identity import identity_error
from latent_lab.metrics.path_choice import PathChoice, amount_for_change, assign
from latent_lab.paths.base import Paths

PRIOR, RANKING, SCORING = range(3)  # streams of one evaluation
SHARES = (-2.0, -4 / 3, -2 / 3, 2 / 3, 4 / 3, 2.0)  # of the compared length, on a traversal


@dataclass(frozen=True)
class Protocol:
    """What an evaluation measures (``evaluation=`` of the command line).

    Arguments:
        name: The evaluation's name in ``metrics.json``.
        seed: Seed of the latents, the same for all runs, so that methods are compared on the same images.
        num_paths: Paths that are chosen for scores on images and for pictures.
        num_latents: Latents of the scores.
        prior_latents: Latents that an attribute's standard deviation is measured on.
        ranking_latents: Latents that all K paths are ranked on.
        matrix_latents: Latents of the K x K matrix of commutativity.
        length: Realised length of an edit at which order is compared, in units of the latent.
        changes: Changes of a path's own attribute, in standard deviations, at which effects are compared.
        pairs: Ordered pairs of chosen paths that each latent is edited with; all pairs have their turn.
        choose_by: ``correlation``, ``steepness`` or ``disentanglement``.
        resamples: Bootstrap resamples.
        batch_size: Images decoded at once.
        strip_steps: Images of a strip, odd so that the original is in the middle.
    """

    name: str
    seed: int
    num_paths: int
    num_latents: int
    prior_latents: int
    ranking_latents: int
    matrix_latents: int
    length: float
    changes: Sequence[float]
    pairs: int
    choose_by: str
    resamples: int
    batch_size: int
    strip_steps: int

    def __post_init__(self) -> None:
        for option in (
            "num_paths",
            "num_latents",
            "prior_latents",
            "ranking_latents",
            "matrix_latents",
            "pairs",
            "resamples",
            "batch_size",
        ):
            if getattr(self, option) < (2 if option in ("num_latents", "prior_latents") else 1):
                raise ValueError(
                    f"evaluation.{option} must be positive (num_latents, prior_latents at least 2), got {getattr(self, option)}"
                )
        if self.length <= 0 or not self.changes or 0 in self.changes:
            raise ValueError(f"evaluation.length must be above 0 and changes not 0, got {self.length} and {list(self.changes)}")
        if self.strip_steps % 2 == 0:
            raise ValueError(f"evaluation.strip_steps must be odd, so that the original is in the middle, got {self.strip_steps}")
        if self.choose_by not in ("correlation", "steepness", "disentanglement"):
            raise ValueError(f"evaluation.choose_by must be one of ('correlation', 'steepness', 'disentanglement'), got {self.choose_by!r}")


class ChosenPath(NamedTuple):
    """A path with the attribute that it stands for."""

    path: int
    attribute: str
    sign: int  # of the path's amount for which the attribute grows
    amount: float  # whose mean realised length is the compared one
    correlation: float
    steepness: float
    disentanglement: float


@dataclass(frozen=True)
class Plan:
    """What :func:`make_plan` found on the ranking latents.

    Arguments:
        deviation: The attributes' standard deviations over the prior, with shape :math:`(A,)`.
        amounts: The amount of each path whose mean realised length is the compared one, with shape :math:`(K,)`.
        ranking: ``correlation``, ``steepness``, ``disentanglement``, each with shape :math:`(K, A)`.
        chosen: The chosen paths, P of them.
        targets: Their attributes, with shape :math:`(P,)`.
        traversal: Amounts of the chosen paths' traversals, with shape :math:`(P, S)`.
        curves: Mean change of their attributes on it, in standard deviations, with shape :math:`(P, S)`.
        equal: The amounts that change a path's attribute by each of the protocol's changes, with shape :math:`(P, T)`; nan: out of reach.
        notes: What a reader must know, a sentence each.
    """

    deviation: Tensor
    amounts: Tensor
    ranking: dict[str, Tensor]
    chosen: list[ChosenPath]
    targets: Tensor
    traversal: Tensor
    curves: Tensor
    equal: Tensor
    notes: list[str] = field(default_factory=list)

    @property
    def paths(self) -> Tensor:
        return torch.tensor([pick.path for pick in self.chosen])


def spread(codes: Codes, times: int) -> Codes:
    """Every code ``times`` times in a row."""
    return codes.select(torch.arange(len(codes.latents), device=codes.latents.device).repeat_interleave(times))


def view_in_batches(
    space: LatentSpace,
    codes: Codes,
    attributes: Attributes | None,
    identity: nn.Module | None,
    batch_size: int,
    keep_images: bool = True,
) -> View:
    """:func:`view`, a batch at a time; without ``keep_images`` the images are dropped as soon as they are measured."""
    starts = range(0, len(codes.latents), batch_size)
    parts = []
    for i in starts:
        part = view(space, codes.select(slice(i, i + batch_size)), attributes, identity)
        parts.append(part if keep_images else part._replace(images=None))
    return View(*[None if values[0] is None else torch.cat(values) for values in zip(*parts)])


@torch.no_grad()
def make_plan(space: LatentSpace, paths: Paths, attributes: Attributes | None, protocol: Protocol) -> Plan:
    """Ranks all paths by what they do to each attribute, chooses, and calibrates the chosen ones."""
    batch, num_paths = protocol.batch_size, min(protocol.num_paths, paths.num_paths)
    device = space_device(space)
    ranking = space.sample(protocol.ranking_latents, stream(protocol.seed, RANKING, 0, EVALUATION))
    start = spread(ranking, paths.num_paths)
    k = torch.arange(paths.num_paths, device=device).repeat(protocol.ranking_latents)
    wanted = torch.full((len(k),), float(protocol.length), device=device)
    reached = amounts_for_length(space, paths, Moves(start, k, torch.ones_like(wanted)), wanted)
    amounts = reached.unflatten(0, (-1, paths.num_paths)).mean(0)
    if attributes is None:
        picks = [ChosenPath(i, f"path {i}", 1, amounts[i].item(), *[float("nan")] * 3) for i in range(num_paths)]
        nothing, note = torch.zeros(num_paths, 0), "no attribute is measured here: the first paths are shown"
        return Plan(torch.zeros(0), amounts, {}, picks, torch.zeros(0), nothing, nothing, nothing, [note])

    prior = space.sample(protocol.prior_latents, stream(protocol.seed, PRIOR, 0, EVALUATION))
    deviation = view_in_batches(space, prior, attributes, None, batch, keep_images=False).attributes.std(0)
    before = view_in_batches(space, ranking, attributes, None, batch, keep_images=False).attributes
    shares = torch.tensor(SHARES, device=device)
    traversal = amounts[:, None] * shares  # (K, S)
    choice = PathChoice(traversal, protocol.length * shares, len(attributes.names)).to(device)
    for i in range(protocol.ranking_latents):
        one = spread(ranking.select(slice(i, i + 1)), traversal.numel())
        k = torch.arange(paths.num_paths, device=device).repeat_interleave(len(shares))
        codes = one.moved(paths.shift(one.latents, k, traversal.flatten(), one.given))
        after = view_in_batches(space, codes, attributes, None, batch, keep_images=False).attributes
        change = attributes.change(before[i : i + 1].expand_as(after), after) / deviation.clamp_min(1e-6)
        choice.update(change.unflatten(0, (1, paths.num_paths, len(shares))))
    scores = {name: value.cpu() for name, value in choice.compute().items()}
    curve, traversal = choice.curve().cpu(), traversal.cpu()

    picks = choose(scores[protocol.choose_by], num_paths)
    chosen = [
        ChosenPath(
            path,
            attributes.names[a],
            1 if scores["steepness"][path, a] >= 0 else -1,
            amounts[path].item(),
            *[scores[name][path, a].item() for name in ("correlation", "steepness", "disentanglement")],
        )
        for path, a in picks
    ]
    rows, targets = torch.tensor([path for path, _ in picks]), torch.tensor([a for _, a in picks])
    curves = curve[rows, :, targets]
    equal = torch.tensor(
        [[amount_for_change(traversal[row], line, float(change)) for change in protocol.changes] for row, line in zip(rows, curves)]
    )
    notes = []
    for pick, line, reach in zip(chosen, curves, equal):
        missed = [f"{change:+g}" for change, amount in zip(protocol.changes, reach) if amount.isnan()]
        if missed:
            notes.append(
                f"path {pick.path} cannot change {pick.attribute} by {', '.join(missed)} standard deviations within a length of "
                f"{SHARES[-1] * protocol.length:g}: it reaches {min(line.min().item(), 0):+.2f} to {max(line.max().item(), 0):+.2f}"
            )
    still = [name for name, value in zip(attributes.names, deviation) if value <= 1e-6]
    if still:
        notes.append(f"{', '.join(still)} did not vary over {protocol.prior_latents} samples of the prior")
    return Plan(deviation.cpu(), amounts.cpu(), scores, chosen, targets, traversal[rows], curves, equal, notes)


def space_device(space: LatentSpace) -> torch.device:
    """Where the generator's tensors are."""
    return next((tensor.device for tensor in space.state_dict().values()), torch.device("cpu"))


def choose(scores: Tensor, num_paths: int) -> list[tuple[int, int]]:
    """Pairs of path and attribute: the assigned ones first, best first, then the best of the other paths."""
    strength = torch.nan_to_num(scores.abs())
    attributes, paths = assign(strength)
    chosen = sorted(zip(paths.tolist(), attributes.tolist()), key=lambda pair: -strength[pair])
    used = {path for path, _ in chosen}
    rest = [(int(path), int(strength[path].argmax())) for path in strength.amax(1).argsort(descending=True) if int(path) not in used]
    return (chosen + rest)[:num_paths]


def pairs_of(first: int, num: int, pairs: int, num_paths: int) -> Tensor:
    """Positions (one, other) of the ordered pairs that latents ``first`` to ``first + num`` take in turn, with shape :math:`(n, m, 2)`."""
    every = torch.tensor([(i, j) for i in range(num_paths) for j in range(num_paths) if i != j] or [(0, 0)])
    turns = torch.arange(first * pairs, (first + num) * pairs) % len(every)
    return every[turns].unflatten(0, (num, pairs))


@torch.no_grad()
def observe(
    space: LatentSpace,
    paths: Paths,
    attributes: Attributes | None,
    identity: nn.Module | None,
    perceptual: nn.Module | None,
    plan: Plan,
    protocol: Protocol,
    first: int,
    num: int,
) -> dict[str, Tensor]:
    """Everything that scores need of latents ``first`` to ``first + num``, a row each. Images are made once and not kept.

    A row depends on the protocol's seed and its number alone, so that an evaluation continues where it was interrupted.
    """
    device = space_device(space)
    codes = space.sample(num, stream(protocol.seed, SCORING, first, EVALUATION))
    original = view_in_batches(space, codes, attributes, identity, protocol.batch_size)
    indices, amounts = plan.paths.to(device), plan.amounts.to(device)
    found: dict[str, Tensor] = {}

    # single edits at equal length: only latents are needed
    many = spread(codes, len(indices))
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
            many = spread(codes, len(where))
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
    many = spread(codes, protocol.pairs)
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
        if perceptual is not None:
            a, b = ("kl", "lk") if form == "swap" else ("klKL", "")
            distance = perceptual(views[a].images, views[b].images).flatten()
            found[f"commutativity/{form}/perceptual"] = distance.unflatten(0, (num, protocol.pairs))
    return {name: value.cpu() for name, value in found.items()}
