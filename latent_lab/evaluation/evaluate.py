"""From a subject and a protocol to scores."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from latent_lab.evaluation.observe import observe
from latent_lab.evaluation.parts import keep_parts, observe_in_parts
from latent_lab.evaluation.plan import make_plan
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.redraw import find_likely
from latent_lab.evaluation.score import Evaluation, obstacle, redraw_plan, summarise
from latent_lab.evaluation.subject import Subject
from latent_lab.metrics.base import Measurement
from latent_lab.names import require_file_name
from latent_lab.runs import Run, hash_weights


def evaluate(
    subject: Subject,
    protocol: Protocol,
    folder: Path | None = None,
    *,
    metrics: Mapping[str, Measurement],
    made_for: Sequence[str] = (),
) -> Evaluation:
    """Score paths.

    Arguments:
        subject: The paths, and what measures the images that they lead to.
        protocol: Rules of the evaluation: how many paths are scored, how far they go, and on which latents.
        folder: A run's folder, where what was observed is kept until the scores are there, so that an interrupted
            evaluation continues; None keeps nothing.
        metrics: Metrics, by names of the caller's.
        made_for: Attribute or other aim that the method made each path for, in their order; empty where the method was
            told nothing.
    """
    plan = make_plan(subject, protocol, made_for)
    obstacles = {name: obstacle(metric, subject, plan) for name, metric in metrics.items()}
    measured = {name: metric for name, metric in metrics.items() if not obstacles[name]}
    if subject.attributes is not None and any("equal" in metric.needs for metric in measured.values()):
        scored = find_likely(redraw_plan(subject, protocol, plan), plan.measured)
        plan = replace(plan, measurements=replace(plan.measured, scored=scored))
    run, place = None if folder is None else Run(folder), f"evaluation/{key_of(subject, protocol, measured)}"
    chunk = max(1, protocol.batch_size // protocol.pairs)
    with contextlib.nullcontext() if run is None else keep_parts(run.folder / place):
        total = protocol.num_latents if any(metric.needs for metric in measured.values()) else 0
        observed = observe_in_parts(
            lambda first, num: observe(subject, plan, protocol, measured, first, num),
            total,
            chunk,
            f"evaluation {protocol.name}",
            run,
            place,
        )
        result = summarise(subject, plan, protocol, measured, observed)
    result.notes += [f"{name} was not measured: {reason}" for name, reason in obstacles.items() if reason]
    return result


def key_of(subject: Subject, protocol: Protocol, metrics: Mapping[str, Measurement]) -> str:
    """Return a name of what is observed: equal evaluations of equal paths share their parts."""
    names = None if subject.attributes is None else list(subject.attributes.names)
    seen = {name: f"{type(metric).__module__}.{type(metric).__qualname__}" for name, metric in metrics.items()}
    told = json.dumps([asdict(protocol), names, seen, hash_weights(subject.paths)], sort_keys=True)
    name = require_file_name(protocol.name, "evaluation.name")
    return f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
