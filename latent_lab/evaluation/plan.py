"""The choice of paths: which one stands for which attribute, and by how much they change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from latent_lab.edits.moves import Moves
from latent_lab.edits.views import find_amounts, view_in_batches
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.subject import Subject
from latent_lab.metrics.base import PRIOR, RANKING
from latent_lab.metrics.path_choice import SHARES, PathChoice, assign
from latent_lab.ops.calibration import amount_for_change
from latent_lab.ops.streams import EVALUATION, stream


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
    """The paths chosen on the ranking latents, and their amounts; see :func:`make_plan`.

    Arguments:
        deviation: The attributes' standard deviations over the prior, with shape :math:`(A,)`.
        amounts: The amount of each path whose mean realised length is the compared one, with shape :math:`(K,)`.
        ranking: ``correlation``, ``steepness``, ``disentanglement``, each with shape :math:`(K, A)`.
        chosen: The chosen paths, P of them.
        targets: Their attributes, with shape :math:`(P,)`.
        traversal: Amounts of the chosen paths' traversals, with shape :math:`(P, S)`.
        curves: Mean change of their attributes on it, in standard deviations, with shape :math:`(P, S)`.
        equal: The amounts that change a path's attribute by each of the protocol's changes, with shape :math:`(P, T)`;
            nan: out of reach.
        notes: Remarks for a reader of the scores, a sentence each.
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
    def labels(self) -> list[str]:
        """Return the number and attribute of each chosen path, as tables and pictures name it."""
        return [f"{pick.path} {pick.attribute}" for pick in self.chosen]

    @property
    def paths(self) -> Tensor:
        """Return the numbers of the chosen paths, with shape :math:`(P,)`."""
        return torch.tensor([pick.path for pick in self.chosen])


@torch.no_grad()
def make_plan(subject: Subject, protocol: Protocol, made_for: Sequence[str] = ()) -> Plan:
    """Rank all paths by what they do to each attribute, choose, and calibrate the chosen ones.

    Arguments:
        subject, protocol: The paths that are scored, and the rules of the evaluation.
        made_for: Attribute or other aim that the method made each path for, in their order; a path that was made for an
            attribute stands for it. Empty where the method was told nothing.
    """
    space, paths, attributes = subject.space, subject.paths, subject.attributes
    batch, num_paths = protocol.batch_size, min(protocol.num_paths, paths.num_paths)
    device = space.device
    ranking = paths.anchor(space, space.sample(protocol.ranking_latents, stream(protocol.seed, RANKING, 0, EVALUATION)))
    start = ranking.repeat(paths.num_paths)
    k = torch.arange(paths.num_paths, device=device).repeat(protocol.ranking_latents)
    wanted = torch.full((len(k),), float(protocol.length), device=device)
    reached = find_amounts(space, paths, Moves(start, k, torch.ones_like(wanted)), wanted)
    amounts = reached.unflatten(0, (-1, paths.num_paths)).mean(0)
    if attributes is None:
        picks = [ChosenPath(i, f"path {i}", 1, amounts[i].item(), *[float("nan")] * 3) for i in range(num_paths)]
        nothing, note = torch.zeros(num_paths, 0), "no attribute is measured here: the first paths are shown"
        return Plan(torch.zeros(0), amounts, {}, picks, torch.zeros(0), nothing, nothing, nothing, [note])

    prior = space.sample(protocol.prior_latents, stream(protocol.seed, PRIOR, 0, EVALUATION))
    found = view_in_batches(space, prior, attributes, None, batch, keep_images=False).attributes
    measured = found.isfinite().all(1)
    if measured.sum() < 2:
        raise ValueError(
            f"evaluation: {len(found) - int(measured.sum())} of {len(found)} samples could not be measured; "
            "truncate or take another dataset="
        )
    deviation = found[measured].std(0)
    before = view_in_batches(space, ranking, attributes, None, batch, keep_images=False).attributes
    shares = torch.tensor(SHARES, device=device)
    traversal = amounts[:, None] * shares  # (K, S)
    choice = PathChoice(traversal, protocol.length * shares, len(attributes.names)).to(device)
    for i in range(protocol.ranking_latents):
        one = ranking.select(slice(i, i + 1)).repeat(traversal.numel())
        k = torch.arange(paths.num_paths, device=device).repeat_interleave(len(shares))
        codes = one.moved(paths.shift(one.latents, k, traversal.flatten(), one.given))
        after = view_in_batches(space, codes, attributes, None, batch, keep_images=False).attributes
        change = attributes.change(before[i : i + 1].expand_as(after), after) / deviation.clamp_min(1e-6)
        choice.update(change.unflatten(0, (1, paths.num_paths, len(shares))))
    scores = {name: value.cpu() for name, value in choice.compute().items()}
    curve, traversal = choice.curve().cpu(), traversal.cpu()

    own = {attributes.names.index(name): path for path, name in enumerate(made_for) if name in attributes.names}
    picks = choose(scores[protocol.choose_by], num_paths, own)
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
        [
            [amount_for_change(traversal[row], line, float(change)) for change in protocol.changes]
            for row, line in zip(rows, curves)
        ]
    )
    notes = []
    for pick, line, reach in zip(chosen, curves, equal):
        missed = [f"{change:+g}" for change, amount in zip(protocol.changes, reach) if amount.isnan()]
        if missed:
            notes.append(
                f"path {pick.path} cannot change {pick.attribute} by {', '.join(missed)} standard deviations within a "
                f"length of {SHARES[-1] * protocol.length:g}: it reaches "
                f"{line.nan_to_num(0).min().clamp_max(0):+.2f} to "
                f"{line.nan_to_num(0).max().clamp_min(0):+.2f}"
            )
    if not measured.all():
        notes.append(
            f"{len(found) - int(measured.sum())} of {len(found)} samples of the prior could not be measured and are "
            "left out"
        )
    still = [name for name, value in zip(attributes.names, deviation) if value <= 1e-6]
    if still:
        notes.append(f"{', '.join(still)} did not vary over {protocol.prior_latents} samples of the prior")
    return Plan(deviation.cpu(), amounts.cpu(), scores, chosen, targets, traversal[rows], curves, equal, notes)


def choose(scores: Tensor, num_paths: int, own: Mapping[int, int]) -> list[tuple[int, int]]:
    """Choose pairs of path and attribute: ``own`` paths by attribute and assigned ones first, best first, then the best
    of the other paths."""
    strength = torch.nan_to_num(scores.abs())
    free_paths, free_attributes = (
        [i for i in range(num) if i not in taken] for num, taken in zip(strength.shape, (set(own.values()), own.keys()))
    )
    attributes, paths = assign(strength[free_paths][:, free_attributes])
    assigned = [(free_paths[path], free_attributes[a]) for path, a in zip(paths.tolist(), attributes.tolist())]
    chosen = sorted([(path, a) for a, path in own.items()] + assigned, key=lambda pair: -strength[pair])
    used = {path for path, _ in chosen}
    rest = [
        (int(path), int(strength[path].argmax()))
        for path in strength.amax(1).argsort(descending=True)
        if int(path) not in used
    ]
    return (chosen + rest)[:num_paths]
