"""The choice of paths: which one stands for which attribute, and by how much they change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.edits.equal_change import GRID, REACHED, EqualChange, Found, Wanted
from latent_lab.edits.lengths import find_amounts, find_scales
from latent_lab.edits.moves import Moves
from latent_lab.edits.views import view_in_batches
from latent_lab.evaluation.choice import FirstPass, choose_candidates, take_first_pass
from latent_lab.evaluation.originals import Originals, find_columns, measure_originals, sample
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.subject import Subject
from latent_lab.gans.codes import Codes
from latent_lab.metrics.base import RANKING
from latent_lab.metrics.selectivity import selectivity_of

CURVE_LATENTS = 8  # ranking latents that the amounts of named attributes are calibrated on
SCALE_LATENTS = 8


class ChosenPath(NamedTuple):
    """A path with the attribute that it stands for."""

    path: int
    attribute: str
    column: int  # of the attribute, among all that are measured
    sign: int  # of the path's amount for which the attribute grows
    amount: float  # whose mean realised length is the compared one
    selectivity: float  # on the ranking latents, by short edits


class Curve(NamedTuple):
    """The change of the attribute that a path stands for, over the path's amounts.

    Arguments:
        chosen: The path and its attribute.
        deviation: The attribute's standard deviation over the prior.
        target: Whether scores are means over this attribute.
        amounts: Amounts of the path, ascending, with shape :math:`(S,)`.
        changes: Mean change of the attribute there, in standard deviations; nan where none was measured.
    """

    chosen: ChosenPath
    deviation: float
    target: bool
    amounts: Tensor
    changes: Tensor


@dataclass(frozen=True)
class Plan:
    """The paths chosen on the ranking latents, and their amounts; see :func:`make_plan`.

    Arguments:
        amounts: The amount of each path whose mean realised length is the compared one, with shape :math:`(K,)`; 0 for
            a path that moves nothing.
        chosen: The paths that are shown and exchanged, P of them: the best of each target, and another one where these
            are one and the same.
        deviation: The attributes' standard deviations over the prior, with shape :math:`(A,)`.
        columns: Columns of the targets among all attributes, with shape :math:`(T,)`.
        originals: What was measured on unedited samples.
        first: The first pass over all paths; None where nothing is measured.
        wanted: The Q candidates: of each target its best paths, then those of the targets' own names.
        ranked: The candidates at equal change on the ranking latents; None where nothing is measured.
        asked: Which ranking latents were asked, with shape :math:`(R, Q, C)`.
        rules: How equal changes are found.
        each: Number of candidates of each target that were chosen; they come first, target by target.
        positions: The chosen candidate of each target, with shape :math:`(T,)`.
        named: The candidate that the method made for each target, with shape :math:`(T,)`; -1 where there is none.
        curves: Calibration of the best path of every measured attribute.
        notes: Remarks for a reader of the scores, a sentence each.
    """

    amounts: Tensor
    chosen: list[ChosenPath]
    deviation: Tensor
    columns: Tensor
    originals: Originals
    first: FirstPass | None = None
    wanted: Wanted | None = None
    ranked: Found | None = None
    asked: Tensor | None = None
    rules: EqualChange | None = None
    each: int = 0
    positions: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    named: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    curves: list[Curve] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def labels(self) -> list[str]:
        """Return the number and attribute of each chosen path, as tables and pictures name it."""
        return [f"{pick.path} {pick.attribute}" for pick in self.chosen]

    @property
    def paths(self) -> Tensor:
        """Return the numbers of the chosen paths, with shape :math:`(P,)`."""
        return torch.tensor([pick.path for pick in self.chosen])

    @property
    def targets(self) -> Tensor:
        """Return the column of the attribute of each chosen path, with shape :math:`(P,)`."""
        return torch.tensor([pick.column for pick in self.chosen])


@torch.no_grad()
def make_plan(subject: Subject, protocol: Protocol, made_for: Sequence[str] = ()) -> Plan:
    """Try all paths, measure the best ones of each target at equal change, and choose.

    Arguments:
        subject, protocol: The paths that are scored, and the rules of the evaluation.
        made_for: Attribute or other aim that the method made each path for, in their order; such paths are scored under
            their own names as well. Empty where the method was told nothing.
    """
    space, paths, attributes = subject.space, subject.paths, subject.attributes
    originals = measure_originals(subject, protocol)
    codes = anchor(subject, sample(space, protocol, RANKING, 0, protocol.ranking_latents))
    few = codes.select(slice(0, SCALE_LATENTS))
    scales = find_scales(space, paths, few, protocol.length)
    amounts = find_mean_amounts(subject, few, scales, protocol.length)
    if attributes is None:
        num = min(protocol.num_paths, paths.num_paths)
        picks = [ChosenPath(i, f"path {i}", 0, 1, amounts[i].item(), float("nan")) for i in range(num)]
        note = "no attribute is measured here: the first paths are shown"
        nothing = torch.zeros(0)
        return Plan(amounts, picks, nothing, nothing.long(), originals, notes=[note])

    columns = find_columns(attributes, protocol.targets)
    deviation = originals.deviation
    before = originals.ranking
    first = take_first_pass(
        space,
        paths,
        attributes,
        codes,
        before,
        scales,
        deviation,
        columns,
        protocol.length / 4,
        protocol.batch_size,
    )
    own = {attributes.names.index(name): path for path, name in enumerate(made_for) if name in attributes.names}
    pairs = choose_candidates(first.selectivity, columns, protocol.candidates, own)
    wanted_paths, wanted_columns = torch.tensor(pairs).unbind(1)
    wanted = Wanted(wanted_paths, wanted_columns, first.signs[wanted_paths, wanted_columns])
    changes = torch.tensor([float(change) for change in protocol.changes])
    rules = EqualChange(
        changes,
        deviation,
        columns,
        protocol.length,
        scales.cpu(),
        originals.shell,
        batch_size=protocol.batch_size,
    )
    asked = originals.asked(before, wanted_columns, changes, attributes)
    ranked = rules.search(space, paths, attributes, codes, before.to(space.device), wanted, asked)
    ranked = Found(*[values.cpu() for values in ranked])
    change = attributes.change(before[:, None, None].expand_as(ranked.attributes), ranked.attributes)
    share = selectivity_of(change, ranked.outcome == REACHED, wanted_columns, columns, deviation)
    each = min(protocol.candidates, paths.num_paths)
    free = each * len(columns)  # the candidates that were chosen, before those of the targets' names
    positions = choose_positions(share[:, :free], asked[:, :free], changes, each)
    in_order = {a: free + i for i, a in enumerate(wanted_columns[free:].tolist())}
    named = torch.tensor([in_order.get(a, -1) for a in columns.tolist()])
    shown = [(int(wanted_paths[q]), int(wanted_columns[q])) for q in positions][: protocol.num_paths]
    if len({path for path, _ in shown}) < 2 <= min(protocol.num_paths, paths.num_paths):  # order needs two paths
        shown.append(find_another(first.selectivity, columns, shown[0][0]))
    picks = [pick_of(path, a, first, amounts, attributes) for path, a in shown]
    plan = Plan(
        amounts,
        picks,
        deviation,
        columns,
        originals,
        first,
        wanted,
        ranked,
        asked,
        rules,
        each,
        positions,
        named,
    )
    plan.curves.extend(calibrate(subject, protocol, plan, codes, own))
    plan.notes.extend(remarks(plan, attributes, protocol))
    return plan


def anchor(subject: Subject, codes: Codes) -> Codes:
    """Return the codes at which the paths' edits start."""
    return subject.paths.anchor(subject.space, codes)


def choose_positions(share: Tensor, asked: Tensor, changes: Tensor, each: int) -> Tensor:
    """Return the candidate of each target with the largest mean selectivity at the smallest changes, with shape
    :math:`(T,)`.

    Arguments:
        share: Selectivities of the targets' candidates, 0 where the change was not reached, with shape
            :math:`(R, T E, C)`.
        asked: Which were asked, with the same shape.
        changes: The changes, with shape :math:`(C,)`.
        each: Number E of candidates of a target.
    """
    smallest = changes.abs() == changes.abs().min()
    asked = asked[..., smallest].to(share)
    mean = (share[..., smallest] * asked).sum((0, 2)) / asked.sum((0, 2)).clamp_min(1)
    best = mean.unflatten(0, (-1, each)).argmax(1)
    return best + each * torch.arange(len(best))


def find_another(selectivity: Tensor, columns: Tensor, path: int) -> tuple[int, int]:
    """Return the best path for any target beside a given one, and its target."""
    others = selectivity[:, columns].clone()
    others[path] = -1
    best = int(others.argmax())
    return best // len(columns), int(columns[best % len(columns)])


def find_mean_amounts(subject: Subject, codes: Codes, scales: Tensor, length: float) -> Tensor:
    """Return the amount of each path whose mean realised length is ``length``, on the CPU; 0 for paths that move
    nothing."""
    num, paths = len(codes), subject.paths.num_paths
    k = torch.arange(paths, device=codes.latents.device).repeat(num)
    moves = Moves(codes.repeat(paths), k, scales.nan_to_num(1.0)[k])
    found = find_amounts(subject.space, subject.paths, moves, torch.full_like(moves.eps, float(length)))
    return torch.where(scales.isfinite(), found.unflatten(0, (num, paths)).mean(0), torch.zeros_like(scales)).cpu()


def pick_of(path: int, column: int, first: FirstPass, amounts: Tensor, attributes: Attributes) -> ChosenPath:
    """Return a path as the one that stands for an attribute."""
    return ChosenPath(
        path,
        attributes.names[column],
        column,
        int(first.signs[path, column]),
        amounts[path].item(),
        first.selectivity[path, column].item(),
    )


def calibrate(subject: Subject, protocol: Protocol, plan: Plan, codes: Codes, own: dict[int, int]) -> list[Curve]:
    """Measure how much the path of every measured attribute changes it, over the lengths that edits have.

    The path is the one that the method made for the attribute; else the chosen one of a target, or for other attributes
    the one of the largest selectivity by short edits.
    """
    attributes, first, wanted = subject.attributes, plan.first, plan.wanted
    assert attributes is not None and first is not None and wanted is not None
    best = {int(a): int(wanted.paths[q]) for a, q in zip(plan.columns, plan.positions)}
    every = [own.get(a, best.get(a, int(first.selectivity[:, a].argmax()))) for a in range(len(attributes.names))]
    few = codes.select(slice(0, CURVE_LATENTS))
    device, num = few.latents.device, len(few)
    moving = sorted({path for path in every if plan.amounts[path] != 0})
    shares = torch.tensor([*GRID, *[-share for share in GRID]]).sort().values
    amounts = {path: plan.amounts[path] * shares for path in every}
    changes = {path: torch.zeros(len(shares), len(attributes.names)) for path in every}
    for path in moving:
        many = few.repeat(len(shares))
        k = torch.full((len(many),), path, device=device)
        start = amounts[path].to(device).repeat(num)
        moved = many.moved(subject.paths.shift(many.latents, k, start, many.given))
        after = view_in_batches(
            subject.space, moved, attributes, None, protocol.batch_size, keep_images=False
        ).attributes
        before = plan.originals.ranking[:num].to(after).repeat_interleave(len(shares), 0)
        standard = attributes.change(before, after).cpu() / plan.deviation.clamp_min(1e-6)
        changes[path] = standard.unflatten(0, (num, len(shares))).nanmean(0)
    return [
        Curve(
            pick_of(path, a, first, plan.amounts, attributes),
            plan.deviation[a].item(),
            a in plan.columns.tolist(),
            amounts[path],
            changes[path][:, a],
        )
        for a, path in enumerate(every)
    ]


def remarks(plan: Plan, attributes: Attributes, protocol: Protocol) -> list[str]:
    """Return what a reader of the scores must know, a sentence each."""
    notes, originals = [], plan.originals
    if originals.unmeasured:
        notes.append(
            f"{originals.unmeasured} of {protocol.prior_latents} samples of the prior could not be measured and are "
            "left out"
        )
    still = [attributes.names[a] for a in plan.columns.tolist() if not plan.deviation[a] > 0]
    if still:
        notes.append(f"{', '.join(still)} did not vary over {protocol.prior_latents} samples of the prior")
    dead = int((plan.amounts == 0).sum())
    if dead:
        notes.append(f"{dead} of {len(plan.amounts)} paths move nothing")
    return notes
