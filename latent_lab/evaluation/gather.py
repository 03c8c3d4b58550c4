"""Scores of runs, gathered by row as plain data: what a comparison is made of, small enough to be kept in a file."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latent_lab.checkpoints import native
from latent_lab.configuration.signatures import locate_class
from latent_lab.console import log
from latent_lab.evaluation.intervals import Sample
from latent_lab.installation import list_named_classes
from latent_lab.names import require_file_name
from latent_lab.plain import has_form, read_json
from latent_lab.runs import Run
from latent_lab.trust import list_mappings

NUMBER = (float, None)
SCORE = {"mean": NUMBER, "low": NUMBER, "high": NUMBER, "unit": str, "better": str, "reached?": NUMBER}
FORM = {"hash": str, "draws": {str: {"scores": {str: SCORE}}}}  # of an evaluation in metrics.json, and its curves
CURVES = {str: [[float]]}
ROW = {
    **{"method": str, "seeded": bool, "supervised": bool, "reference": bool, "runs": {str: [int]}},
    "scores": {str: {"values": {str: {str: [NUMBER]}}, "resamples": {str: [NUMBER]}}},
}
KEPT = {"gan": str, "evaluation": str, "columns": {str: {"unit": str, "better": str}}, "rows": {str: ROW}}
RESAMPLES, DIGITS = 200, 4  # that are kept: so many of each draw, with so many significant digits
OLDER = "older "  # begins the hash of scores of versions 0.1 and 0.2, which hold none


@dataclass(frozen=True)
class Scored:
    """A run with the draws of one evaluation.

    Arguments:
        run: The run.
        gan: Name of its generator.
        label: Name of its row.
        seed: Seed of its training.
        method: Dotted names of the classes of its method and of the method's parts, its own first; empty if not known.
        evaluation: Name of the evaluation.
        rules: Hash of the rules by which it was scored. Only scores with equal rules are compared.
        draws: Scores and curves by the evaluation's seed, as ``metrics.json`` has them.
    """

    run: Run
    gan: str
    label: str
    seed: int
    method: tuple[str, ...]
    evaluation: str
    rules: str
    draws: Mapping[int, dict[str, Any]]

    def read_resamples(self, draw: int) -> dict[str, np.ndarray]:
        """Return the scores on the bootstrap's resamples of a draw, by score, each with shape :math:`(B,)`; empty where
        the run keeps none."""
        file = self.run.folder / "evaluation" / f"{self.evaluation}-{draw}.safetensors"
        if not file.is_file():
            return {}
        return {name: value.double().numpy() for name, value in native.read(file)[0].items() if value.ndim == 1}


def read_scored(runs: Sequence[Run], evaluation: str) -> list[Scored]:
    """Return the runs that have scores of an evaluation; the others are named and left out.

    Arguments:
        runs: The runs.
        evaluation: The evaluation's name.

    Raises:
        ValueError: Scores do not have the form that an evaluation writes.
    """
    scored, skipped = [], []
    for run in runs:
        made, result = run.read_config(), run.read_json("metrics.json").get(evaluation)
        if result is None:
            skipped.append(run.folder)
            continue
        if isinstance(result, dict) and "draws" not in result:
            result = take_older(result)
        if (
            not has_form(result, FORM)
            or not all(draw.isascii() and draw.isdigit() for draw in result["draws"])
            or not all(has_form(lines, CURVES) for draw in result["draws"].values() for lines in curves_of(draw))
        ):
            raise ValueError(
                f"{run.folder / 'metrics.json'} must hold scores as an evaluation writes them under {evaluation!r}; "
                f"evaluate {run.folder} again"
            )
        method = tuple(str(node["_target_"]) for _, node in list_mappings(made.get("method")) if "_target_" in node)
        draws = {int(draw): found for draw, found in result["draws"].items()}
        name, label = made["gan"]["name"], run.read_label()
        scored.append(Scored(run, name, label, made["seed"], method, evaluation, result["hash"], draws))
    for folder in skipped if scored else ():
        log.info(f"{folder} has no evaluation {evaluation} and is left out")
    return scored


def curves_of(draw: Mapping[str, Any]) -> list[object]:
    """Return the curves of a draw's pictures."""
    return [lines for name, lines in draw.items() if name.endswith("_curves")]


def take_older(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return scores of versions 0.1 and 0.2 in today's form: one draw, by rules that today's scores never share."""
    protocol = result.get("protocol")
    protocol = dict(protocol) if isinstance(protocol, dict) else {}
    seed = protocol.pop("seed", 0)
    told = hashlib.sha256(json.dumps(protocol, sort_keys=True).encode()).hexdigest()[:12]
    return {"hash": f"{OLDER}{told}", "draws": {str(seed): result}}


def choose_rules(scored: Sequence[Scored]) -> list[Scored]:
    """Return the runs on one generator that share the rules of most of them, the newest rules on a tie. The others are
    named, each with the commands that score it anew.

    Scores of versions 0.1 and 0.2 are compared only where there are no others.
    """
    groups: dict[str, list[Scored]] = {}
    for one in scored:
        groups.setdefault(one.rules, []).append(one)

    def rank(rules: str) -> tuple[bool, int, float]:
        changed = [one.run.folder / "metrics.json" for one in groups[rules]]
        newest = max((file.stat().st_mtime for file in changed if file.exists()), default=0.0)
        return not rules.startswith(OLDER), len(groups[rules]), newest

    chosen = groups[max(groups, key=rank)]
    draws = sorted({draw for one in chosen for draw in one.draws})
    for one in scored:
        if one.rules != chosen[0].rules:
            again = f"python -m latent_lab.evaluate run='{one.run.folder}' evaluation={one.evaluation}"
            lines = "; ".join(f"{again} evaluation.seed={draw}" for draw in draws)
            log.info(f"{one.run.folder} was scored by other rules and is left out; score it anew: {lines}")
    return chosen


def gather(scored: Sequence[Scored]) -> dict[str, Any]:
    """Gather the scores of runs on one generator, by row: plain data that :func:`write_scores` keeps in a file.

    ``rows`` holds for each label the method's class and marks, ``runs`` (its seeds, each with its draws), and for each
    score ``values`` (mean, low, high and the share reached, by seed and draw) and ``resamples`` (by draw: the mean over
    seeds on each of the first 200 resamples of the latents, less the mean over these).
    """
    columns: dict[str, dict[str, str]] = {}
    rows: dict[str, dict[int, Scored]] = {}
    for one in scored:
        of_row = rows.setdefault(one.label, {})
        if one.seed in of_row:
            log.info(
                f"{one.run.folder} has the label and seed of {of_row[one.seed].run.folder} and is left out; "
                "give one of them another label="
            )
            continue
        of_row[one.seed] = one
        for draw in one.draws.values():
            for name, entry in draw["scores"].items():
                columns.setdefault(name, {"unit": entry["unit"], "better": entry["better"]})
    gathered = {label: gather_row(list(runs.values())) for label, runs in rows.items()}
    return {"gan": scored[0].gan, "evaluation": scored[0].evaluation, "columns": columns, "rows": gathered}


def gather_row(runs: Sequence[Scored]) -> dict[str, Any]:
    """Gather the scores of one row's runs (:func:`gather`)."""
    scores: dict[str, dict[str, Any]] = {}
    for one in runs:
        for draw, found in sorted(one.draws.items()):
            for name, entry in found["scores"].items():
                values = scores.setdefault(name, {"values": {}, "resamples": {}})["values"].setdefault(
                    str(one.seed), {}
                )
                values[str(draw)] = [entry["mean"], entry["low"], entry["high"], entry.get("reached")]
    for draw in sorted({draw for one in runs for draw in one.draws}):
        tables = [one.read_resamples(draw) for one in runs if draw in one.draws]
        for name in set.intersection(*map(set, tables)) & scores.keys():
            if len({len(table[name]) for table in tables}) == 1:
                mean = np.mean([table[name][:RESAMPLES] for table in tables], 0)
                if np.isfinite(mean).sum() > 1:
                    scores[name]["resamples"][str(draw)] = round_resamples(mean - np.nanmean(mean))
    known = {name for kind, names in list_named_classes().items() if kind.split(".")[0] == "method" for name in names}
    parts = [locate_class(name) if name in known else None for name in runs[0].method]
    own = parts[0] if parts else None
    return {
        "method": runs[0].method[0] if parts else "",
        "seeded": bool(getattr(own, "seeded", True)),
        "supervised": any(getattr(part, "supervised", False) is True for part in parts),  # a walk's aim is a part
        "reference": bool(getattr(own, "reference", False)),
        "runs": {str(one.seed): sorted(one.draws) for one in runs},
        "scores": scores,
    }


def round_resamples(values: np.ndarray) -> list[float | None]:
    """Return the values with few significant digits; None for one that is not finite."""
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values.tolist()]


def show(scores: Mapping[str, Any], patterns: Sequence[str]) -> dict[str, Any]:
    """Return the gathered scores whose names match the patterns, in their order."""
    names = [name for pattern in patterns for name in scores["columns"] if fnmatch.fnmatchcase(name, pattern)]
    columns = {name: scores["columns"][name] for name in names}
    rows = {
        label: {**row, "scores": {name: row["scores"][name] for name in columns if name in row["scores"]}}
        for label, row in scores["rows"].items()
    }
    return {**scores, "columns": columns, "rows": rows}


def sample_of(row: Mapping[str, Any], name: str) -> Sample:
    """Return what one score of a row says about its interval; empty where the row does not have it."""
    entry = row["scores"].get(name, {"values": {}, "resamples": {}})
    values: dict[int, dict[int, float]] = {}
    ends: dict[int, list[float]] = {}
    for seed, draws in entry["values"].items():
        for draw, (mean, low, high, _) in draws.items():
            if mean is not None:
                values.setdefault(int(seed), {})[int(draw)] = mean
                half = math.nan if low is None or high is None else (high - low) / 3.92
                ends.setdefault(int(draw), []).append(half)
    # seeds share the latents of a draw: their spreads are averaged as if they moved together
    spreads = {draw: float(np.mean(halves)) for draw, halves in ends.items() if not any(map(math.isnan, halves))}
    resamples = {
        int(draw): np.array([math.nan if value is None else value for value in of_draw], dtype=np.float64)
        for draw, of_draw in entry["resamples"].items()
    }
    return Sample(values, resamples, spreads, row["seeded"])


def reached(row: Mapping[str, Any], name: str) -> float:
    """Return the smallest share of the asked latents behind a row's score in any of its runs and draws: 0 where one has
    no value, nan where it is not known."""
    entry = row["scores"].get(name, {"values": {}})
    shares = []
    for seed, draws in row["runs"].items():
        for draw in draws:
            mean, _, _, share = entry["values"].get(seed, {}).get(str(draw), (None, None, None, None))
            shares.append(0.0 if mean is None else math.nan if share is None else share)
    return math.nan if any(map(math.isnan, shares)) else min(shares, default=0.0)


def write_scores(scores: Mapping[str, Any]) -> str:
    """Return gathered scores as JSON, a line for each score of each row."""
    head = {name: value for name, value in scores.items() if name != "rows"}
    lines = []
    for label, row in scores["rows"].items():
        about = json.dumps({name: value for name, value in row.items() if name != "scores"})[:-1]
        entries = ",\n".join(
            f"{json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}" for name, entry in row["scores"].items()
        )
        lines.append(f'{json.dumps(label)}: {about}, "scores": {{\n{entries}}}}}')
    return f'{json.dumps(head)[:-1]}, "rows": {{\n' + ",\n".join(lines) + "}}\n"


def read_scores(file: str | Path) -> dict[str, Any]:
    """Return the gathered scores in a file that a comparison wrote.

    Raises:
        ValueError: The file has another form.
    """
    found: Any = read_json(Path(file))
    if not has_form(found, KEPT) or not all(is_numbered(row) for row in found["rows"].values()):
        raise ValueError(f"{file} must hold scores as a comparison writes them (<gan>.scores.json)")
    require_file_name(found["gan"], f"gan of {file}")
    return found


def is_numbered(row: Mapping[str, Any]) -> bool:
    """Tell whether seeds and draws of a row are numbers, and whether each value has its four parts."""
    keys, values = [*row["runs"]], []
    for entry in row["scores"].values():
        keys += [*entry["values"], *entry["resamples"]]
        for draws in entry["values"].values():
            keys += draws
            values += draws.values()
    return bool(row["runs"]) and all(key.isascii() and key.isdigit() for key in keys) and {*map(len, values)} <= {4}
