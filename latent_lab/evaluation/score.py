"""From observations to scores with intervals, matrices and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from latent_lab.evaluation.originals import hash_rules
from latent_lab.evaluation.panels import sequence_images, strip_images
from latent_lab.evaluation.plan import Plan
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.redraw import redraw
from latent_lab.evaluation.subject import Subject
from latent_lab.metrics.base import RESAMPLING, Bootstrap, Matrix, Measurement, Picture, Score, Setting
from latent_lab.metrics.bootstrap import Resamples
from latent_lab.ops.streams import EVALUATION, stream

Lines = dict[str, list[tuple[float, float]]]


@dataclass
class Evaluation:
    """The results of an evaluation.

    Arguments:
        protocol, plan: The rules of the evaluation, and the chosen paths.
        attributes: Names of the attributes that were measured.
        scores: Scores with their intervals.
        matrices: Tables of numbers by name.
        curves: Curves by the name of their picture and their own.
        pictures: Descriptions of the pictures of the metrics, by their names.
        strip_shares: Shares of a path's amount that a strip shows, S of them.
        strips: Images of the chosen paths over these shares, with shape :math:`(P, S, C, H, W)`.
        pairs: Labels of the rows of ``sequences``.
        sequences: Images of sequential edits, with shape :math:`(Q, 5, C, H, W)`.
        hash: Twelve hexadecimal digits of the rules, whatever the draw: other scores are not compared with these.
        notes: Remarks for a reader of the scores, a sentence each.
    """

    protocol: Protocol
    plan: Plan
    attributes: list[str]
    scores: list[Score]
    matrices: dict[str, Matrix]
    curves: dict[str, Lines]
    pictures: dict[str, Picture]
    strip_shares: list[float]
    strips: Tensor
    pairs: list[str]
    sequences: Tensor
    hash: str
    notes: list[str] = field(default_factory=list)

    def main_score(self) -> float:
        """Return the one number that searches of options maximise: the selectivity at the smallest change, or minus the
        error of order in latents where no attribute is measured."""
        found = {score.name: score.value for score in self.scores}
        selectivity = found.get(f"selectivity/{self.protocol.sizes[0]:g}", float("nan"))
        return selectivity if selectivity == selectivity else -found.get("commutativity/swap/latents", float("nan"))


def obstacle(metric: Measurement, subject: Subject, plan: Plan | None = None) -> str:
    """Return why a metric cannot be measured on a subject; empty where it can.

    Arguments:
        metric: The metric.
        subject: The paths, and what measures them.
        plan: The chosen paths, where they are known.
    """
    if "equal" in metric.needs and subject.attributes is None:
        return "this data set measures no attributes"
    different = subject.paths.num_paths if plan is None else len(set(plan.paths.tolist()))
    if different < 2 and any("l" in need for need in metric.needs if set(need) <= set("klKL")):
        return "order needs two different paths"
    return metric.obstacle(subject)


def redraw_plan(subject: Subject, protocol: Protocol, plan: Plan) -> Resamples:
    """Return the choice on the latents as they were drawn and on redraws of them, the same whenever it is asked for."""
    rng = stream(protocol.seed, RESAMPLING, 1, EVALUATION)
    periods = () if subject.judges is None else subject.judges.periods
    return redraw(plan, periods, protocol.resamples, rng)


def own_rows(observed: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return what the metric of this name observed, by its own names."""
    return {key.removeprefix(f"{name}/"): rows for key, rows in observed.items() if key.startswith(f"{name}/")}


def summarise(
    subject: Subject, plan: Plan, protocol: Protocol, metrics: Mapping[str, Measurement], observed: Mapping[str, Tensor]
) -> Evaluation:
    """Return scores, matrices and pictures from what the metrics observed of all latents."""
    bootstrap = Bootstrap(protocol.num_latents, protocol.resamples, stream(protocol.seed, RESAMPLING, 0, EVALUATION))
    redraws = None
    if subject.attributes is not None and any("equal" in metric.needs for metric in metrics.values()):
        scoring = torch.cat([torch.arange(protocol.num_latents)[None], bootstrap.index])
        redraws = redraw_plan(subject, protocol, plan)._replace(scoring=scoring)
    setting = Setting(subject, protocol.seed, bootstrap, plan, protocol, redraws)
    shares = torch.linspace(-1, 1, protocol.strip_steps).tolist()
    pairs, sequences = sequence_images(subject.space, subject.paths, plan, protocol, plan.labels)
    result = Evaluation(
        protocol=protocol,
        plan=plan,
        attributes=list(subject.attributes.names) if subject.attributes is not None else [],
        scores=[],
        matrices={},
        curves={},
        pictures={},
        strip_shares=shares,
        strips=strip_images(subject.space, subject.paths, plan, protocol, shares),
        pairs=pairs,
        sequences=sequences,
        hash=hash_rules(subject, protocol),
        notes=list(plan.notes),
    )
    left_out: dict[str, Tensor] = {}
    remarks: list[str] = []
    for name, metric in metrics.items():
        rows = own_rows(observed, name)
        result.scores += metric.scores(rows, setting)
        result.matrices |= metric.matrices(rows, setting)
        result.curves |= metric.curves(rows, setting)
        result.pictures |= metric.pictures
        remarks += metric.notes(rows, setting)
        for what, missing in metric.left_out(rows, setting).items():
            left_out[what] = missing | left_out.get(what, missing)
    if any(missing.any() for missing in left_out.values()):
        counts = " and ".join(f"{int(missing.sum())} of {missing.numel()} {what}" for what, missing in left_out.items())
        result.notes.append(
            f"{counts} could not be measured (a predictor found nothing in an image) and are left out of the means"
        )
    if unmeasured := [score.name for score in result.scores if score.value != score.value]:
        result.notes.append(f"not measured, for nothing was reached: {', '.join(unmeasured)}")
    result.notes += remarks
    return result
