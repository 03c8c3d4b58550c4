"""The measurements of all paths: short edits along each, the best of them at equal change, and the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.edits.equal_change import REACHED, EqualChange, Found, Wanted
from latent_lab.evaluation.calibrate import Curve, calibrate, pick
from latent_lab.evaluation.choice import FirstPass, choose_candidates, take_first_pass
from latent_lab.evaluation.originals import Originals, find_columns
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.subject import Subject
from latent_lab.gans.codes import Codes
from latent_lab.metrics.selectivity import selectivity_of

CURVE_LATENTS = 8  # ranking latents that the amounts of named attributes are calibrated on


@dataclass(frozen=True)
class Measured:
    """The measurements of paths on the ranking latents, and the choice among them; see :func:`measure_paths`.

    Arguments:
        attributes: What measures the images.
        deviation: The attributes' standard deviations over the prior, with shape :math:`(A,)`.
        columns: Columns of the targets among all attributes, with shape :math:`(T,)`.
        first: The first pass over all paths.
        wanted: The Q candidates: of each target its best paths, then those of the targets' own names.
        ranked: The candidates at equal change on the ranking latents.
        asked: Which ranking latents were asked, with shape :math:`(R, Q, C)`.
        rules: How equal changes are found.
        each: Number of candidates of each target that were chosen; they come first, target by target.
        positions: The chosen candidate of each target, with shape :math:`(T,)`.
        named: The candidate that the method made for each target, with shape :math:`(T,)`; -1 where there is none.
        curves: Calibration of the best path of every measured attribute.
        scored: Which candidates are measured on the scoring latents, with shape :math:`(Q,)`.
    """

    attributes: Attributes
    deviation: Tensor
    columns: Tensor
    first: FirstPass
    wanted: Wanted
    ranked: Found
    asked: Tensor
    rules: EqualChange
    each: int
    positions: Tensor
    named: Tensor
    curves: list[Curve]
    scored: Tensor

    @property
    def targets(self) -> list[str]:
        """Return the names of the targets."""
        return [self.attributes.names[a] for a in self.columns.tolist()]

    @property
    def num_best(self) -> int:
        """Return the number of candidates that come before those of the targets' own names."""
        return self.each * len(self.columns)

    def label(self, positions: Tensor) -> list[str]:
        """Return the number of the path of each target's candidate, with the target, as tables name it."""
        return [f"{int(self.wanted.paths[q])} {name}" for q, name in zip(positions, self.targets)]


@torch.no_grad()
def measure_paths(
    subject: Subject,
    attributes: Attributes,
    protocol: Protocol,
    originals: Originals,
    codes: Codes,
    scales: Tensor,
    amounts: Tensor,
    made_for: Sequence[str],
) -> Measured:
    """Try all paths, measure the best ones of each target at equal change, and choose.

    Arguments:
        subject, attributes, protocol: The paths, what measures the images, and the rules of the evaluation.
        originals: What was measured on unedited samples.
        codes: The ranking latents, anchored.
        scales: An amount of each path that is about as long as the compared length; nan for one that moves nothing.
        amounts: The amount of each path whose mean realised length is the compared one, with shape :math:`(K,)`.
        made_for: Attribute or other aim that the method made each path for, in their order.
    """
    space, paths, batch_size = subject.space, subject.paths, protocol.batch_size
    columns, deviation, before = find_columns(attributes, protocol.targets), originals.deviation, originals.ranking
    short = protocol.length / 4
    first = take_first_pass(space, paths, attributes, codes, before, scales, deviation, columns, short, batch_size)
    own = {attributes.names.index(name): path for path, name in enumerate(made_for) if name in attributes.names}
    pairs = choose_candidates(first.selectivity, columns, protocol.candidates, own)
    wanted_paths, wanted_columns = torch.tensor(pairs).unbind(1)
    wanted = Wanted(wanted_paths, wanted_columns, first.signs[wanted_paths, wanted_columns])
    changes = torch.tensor([float(change) for change in protocol.changes])
    rules = EqualChange(
        changes, deviation, columns, protocol.length, scales.cpu(), originals.shell, batch_size=batch_size
    )
    asked = originals.asked(before, wanted_columns, changes, attributes)
    ranked = rules.search(space, paths, attributes, codes, before.to(space.device), wanted, asked)
    ranked = Found(*[values.cpu() for values in ranked])
    change = attributes.change(before[:, None, None].expand_as(ranked.attributes), ranked.attributes)
    share = selectivity_of(change, ranked.outcome == REACHED, wanted_columns, columns, deviation)
    each = min(protocol.candidates, paths.num_paths)
    num_best = each * len(columns)
    positions = choose_positions(share[:, :num_best], asked[:, :num_best], changes, each)
    in_order = {a: num_best + i for i, a in enumerate(wanted_columns[num_best:].tolist())}
    named = torch.tensor([in_order.get(a, -1) for a in columns.tolist()])
    # a curve is of the path that the method made for the attribute, else of the chosen one of a target, else of the
    # one of the largest selectivity by short edits
    best = {int(a): int(wanted_paths[q]) for a, q in zip(columns, positions)} | own
    every = [best.get(a, int(first.selectivity[:, a].argmax())) for a in range(len(attributes.names))]
    picks = [pick(path, a, first, amounts, attributes) for a, path in enumerate(every)]
    few = slice(0, CURVE_LATENTS)
    curves = calibrate(space, paths, attributes, codes.select(few), before[few], picks, deviation, columns, batch_size)
    scored = torch.ones(len(wanted_paths), dtype=torch.bool)
    return Measured(
        attributes, deviation, columns, first, wanted, ranked, asked, rules, each, positions, named, curves, scored
    )


def choose_positions(share: Tensor, asked: Tensor, changes: Tensor, each: int, scored: Tensor | None = None) -> Tensor:
    """Return the candidate of each target with the largest mean selectivity at the smallest changes, with shape
    :math:`(\\dots, T)`.

    Arguments:
        share: Selectivities of the targets' candidates, 0 where the change was not reached, with shape
            :math:`(\\dots, R, T E, C)`.
        asked: Which were asked, with the same shape.
        changes: The changes, with shape :math:`(C,)`.
        each: Number E of candidates of a target.
        scored: Which candidates may be chosen, with shape :math:`(T E,)`; None for all.
    """
    smallest = changes.abs() == changes.abs().min()
    asked = asked[..., smallest].to(share)
    mean = (share[..., smallest] * asked).sum((-3, -1)) / asked.sum((-3, -1)).clamp_min(1)
    if scored is not None:
        mean = mean.where(scored, torch.full_like(mean, -1))
    best = mean.unflatten(-1, (-1, each)).argmax(-1)
    return best + each * torch.arange(best.shape[-1])
