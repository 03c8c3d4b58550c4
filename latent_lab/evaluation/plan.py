"""The choice of paths: which ones are shown and exchanged, and how far they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from latent_lab.edits.lengths import find_amounts, find_scales
from latent_lab.edits.moves import Moves
from latent_lab.evaluation.calibrate import ChosenPath, pick
from latent_lab.evaluation.measured import Measured, measure_paths
from latent_lab.evaluation.originals import Originals, measure_originals, sample
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.subject import Subject
from latent_lab.gans.codes import Codes
from latent_lab.metrics.base import RANKING

SCALE_LATENTS = 8


@dataclass(frozen=True)
class Plan:
    """The paths chosen on the ranking latents, and their amounts; see :func:`make_plan`.

    Arguments:
        amounts: The amount of each path whose mean realised length is the compared one, with shape :math:`(K,)`; 0 for
            a path that moves nothing.
        chosen: The paths that are shown and exchanged, P of them: the best of each target, and another one where these
            are one and the same; the first ones where nothing is measured.
        originals: What was measured on unedited samples.
        measurements: What was measured of the paths; None where no attribute is.
        notes: Remarks for a reader of the scores, a sentence each.
    """

    amounts: Tensor
    chosen: list[ChosenPath]
    originals: Originals
    measurements: Measured | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def measured(self) -> Measured:
        """The measurements of the paths.

        Raises:
            ValueError: No attribute is measured.
        """
        if self.measurements is None:
            raise ValueError(
                "nothing was measured of these paths, for no attribute is; only a metric that needs 'equal' may ask"
            )
        return self.measurements

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
    """Find how far the paths go, measure them where attributes are measured, and choose.

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
        return Plan(amounts, picks, originals, notes=["no attribute is measured here: the first paths are shown"])
    measured = measure_paths(subject, attributes, protocol, originals, codes, scales, amounts, made_for)
    shown = choose_shown(measured, protocol.num_paths)
    picks = [pick(path, a, measured.first, amounts, attributes) for path, a in shown]
    return Plan(amounts, picks, originals, measured, remarks(amounts, originals, measured, protocol))


def anchor(subject: Subject, codes: Codes) -> Codes:
    """Return the codes at which the paths' edits start."""
    return subject.paths.anchor(subject.space, codes)


def choose_shown(measured: Measured, num: int) -> list[tuple[int, int]]:
    """Return (path, attribute) of the chosen candidates, at most ``num``; with another path where these are all one,
    for order needs two."""
    wanted, selectivity = measured.wanted, measured.first.selectivity
    shown = [(int(wanted.paths[q]), int(wanted.attributes[q])) for q in measured.positions][:num]
    if len({path for path, _ in shown}) < 2 <= min(num, len(selectivity)):
        shown.append(find_another(selectivity, measured.columns, shown[0][0]))
    return shown


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


def remarks(amounts: Tensor, originals: Originals, measured: Measured, protocol: Protocol) -> list[str]:
    """Return what a reader of the scores must know, a sentence each."""
    notes = []
    if originals.unmeasured:
        notes.append(
            f"{originals.unmeasured} of {protocol.prior_latents} samples of the prior could not be measured and are "
            "left out"
        )
    still = [name for name, a in zip(measured.targets, measured.columns.tolist()) if not measured.deviation[a] > 0]
    if still:
        notes.append(f"{', '.join(still)} did not vary over {protocol.prior_latents} samples of the prior")
    dead = int((amounts == 0).sum())
    if dead:
        notes.append(f"{dead} of {len(amounts)} paths move nothing")
    return notes
