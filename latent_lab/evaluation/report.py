"""The report of a run: scores, pictures and one page, in its folder and in the loggers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from matplotlib.figure import Figure

from latent_lab.checkpoints import native
from latent_lab.evaluation.calibrate import Curve
from latent_lab.evaluation.panels import PICTURES
from latent_lab.evaluation.score import Evaluation
from latent_lab.figures.curves import Curves, draw_curves, draw_lines, draw_matrix
from latent_lab.figures.page import png_bytes, report_html
from latent_lab.figures.strips import Strip, draw_sequences, draw_strips
from latent_lab.names import require_file_name
from latent_lab.ops.calibration import amount_for_change
from latent_lab.runs import Run

CAPTIONS = {  # of what is of the run, not of its evaluation
    "response": (
        "What an amount of each walk really changes (the median over latents), in units of amount, "
        "beside what was asked; a line ends where more of the walk changes no more, or leaves the prior."
    ),
    "curves": "Training curves.",
}
SEQUENCE = ("original", "edit 1", "1 then 2", "2 then 1", "undone")


def to_plain(value: float) -> float | None:
    """Return a number as JSON has it: None for one that is not finite."""
    return value if math.isfinite(value) else None


def write_evaluation(run: Run, evaluation: Evaluation) -> None:
    """Add the scores of a draw under the evaluation's name to ``metrics.json``, and write ``names.json``, which tells
    how to use the best path of every attribute.

    ``metrics.json`` holds the draws of one set of rules under a name; scores by other rules are replaced. What each
    score is on each resample stands in ``evaluation/<name>-<seed>.safetensors``, from which a comparison pairs latents.
    """
    plan, protocol = evaluation.plan, evaluation.protocol
    result = {
        "scores": {
            score.name: {
                "mean": to_plain(score.value),
                "low": to_plain(score.low),
                "high": to_plain(score.high),
                "num": score.num,
                "unit": score.unit,
                "better": score.better,
                "reached": to_plain(score.reached),
            }
            for score in evaluation.scores
        },
        "chosen_paths": [
            {key: to_plain(value) if isinstance(value, float) else value for key, value in pick._asdict().items()}
            for pick in plan.chosen
        ],
        "matrices": {
            name: {
                "rows": matrix.rows,
                "columns": matrix.columns,
                "unit": matrix.unit,
                "values": [[to_plain(value) for value in row] for row in matrix.values.tolist()],
            }
            for name, matrix in evaluation.matrices.items()
        },
        "notes": evaluation.notes,
    } | {f"{name}_curves": lines for name, lines in evaluation.curves.items()}
    resampled = {score.name: score.resampled.float() for score in evaluation.scores if score.resampled is not None}
    name = require_file_name(protocol.name, "evaluation.name")
    run.write(f"evaluation/{name}-{protocol.seed}.safetensors", native.to_bytes(resampled, {"hash": evaluation.hash}))
    rules = asdict(protocol) | {
        "changes": list(protocol.changes),
        "targets": None if protocol.targets is None else list(protocol.targets),
    }
    with run.lock():  # another evaluation of the run may end at the same time
        known = run.read_json("metrics.json")
        before = known.get(name, {})
        draws = before.get("draws", {}) if before.get("hash") == evaluation.hash else {}
        draws = draws | {str(protocol.seed): result}
        known[name] = {"hash": evaluation.hash, "protocol": rules, "draws": draws}
        run.write("metrics.json", json.dumps(known, indent=1))
    curves = () if plan.measurements is None else plan.measurements.curves
    run.write("names.json", json.dumps({curve.chosen.attribute: describe(curve) for curve in curves}, indent=1))


def describe(curve: Curve) -> dict[str, Any]:
    """Return an entry of ``names.json``."""
    measured = curve.changes.isfinite()
    line = sorted([(0.0, 0.0), *zip(curve.amounts[measured].tolist(), curve.changes[measured].tolist())])
    return {
        "path": curve.chosen.path,
        "target": curve.target,
        "sign": curve.chosen.sign,
        "unit_amount": to_plain(amount_for_change(curve.amounts, curve.changes, 1.0)),
        "deviation": curve.deviation,
        "unit": f"{curve.deviation:.6g}, one standard deviation over the prior",
        "reachable": [min(change for _, change in line), max(change for _, change in line)],
        "amounts": [amount for amount, _ in line],
        "changes": [change for _, change in line],
        "selectivity": to_plain(curve.chosen.selectivity),
    }


def figures_of(evaluation: Evaluation, curves: Curves) -> dict[str, Figure]:
    """Return every picture of a run by name, in the report's order."""
    chosen, matrices = evaluation.plan.chosen, evaluation.matrices
    titles = [f"path {pick.path}: {pick.attribute}\nat 1: eps = {pick.sign * pick.amount:.2f}" for pick in chosen]
    strips = [Strip(title, images) for title, images in zip(titles, evaluation.strips)]
    sequences = [Strip(title, images) for title, images in zip(evaluation.pairs, evaluation.sequences)]
    figures = {
        "strips": draw_strips(
            strips, evaluation.strip_shares, f"eps, 1 = a realised length of {evaluation.protocol.length:g}"
        ),
        "sequences": draw_sequences(sequences, SEQUENCE),
    }
    shown = {matrix.picture: matrix for matrix in matrices.values() if matrix.picture}
    for name, picture in evaluation.pictures.items():
        if name in shown:
            matrix = shown[name]
            figures[name] = draw_matrix(
                matrix.values.numpy(), matrix.rows, matrix.columns, matrix.unit, matrix.row_title, matrix.column_title
            )
        elif lines := evaluation.curves.get(name):
            figures[name] = draw_lines(lines, picture.x, picture.y)
    if curves:
        figures["curves"] = draw_curves(curves)
    return figures


def response_figure(response: dict[str, dict[str, Any]]) -> Figure:
    """Draw the changes of walks over their amounts, within their limits, from a run's findings."""
    lines = {
        name: [
            (x, y) for x, y in zip(found["amounts"], found["change"]) if found["limits"][0] <= x <= found["limits"][1]
        ]
        for name, found in response.items()
    }
    asked = {"asked": [(x, x) for x in next(iter(response.values()))["amounts"]]}
    return draw_lines(asked | lines, "amount", "realised change")


def write_report(run: Run, evaluation: Evaluation, loggers: Sequence[pl.loggers.Logger]) -> Path:
    """Write ``metrics.csv``, ``pictures/*.png`` and ``report.html``; return the page."""
    pictures = {name: png_bytes(figure, 110) for name, figure in figures_of(evaluation, run.collect_curves()).items()}
    for name, content in pictures.items():
        run.write(f"pictures/{name}.png", content)
    if response := run.read_json("findings.json").get("response"):
        pictures["response"] = png_bytes(response_figure(response), 110)
        run.write("pictures/response.png", pictures["response"])
    environment = run.read_json("environment.json")
    facts = {key: value for key, value in environment.items() if key != "versions"} | environment.get("versions", {})
    facts = {key: str(value)[:200] for key, value in facts.items()}
    title = f"{run.folder.absolute().parent.name}, evaluation {evaluation.protocol.name}"
    captions = CAPTIONS | {name: picture.caption for name, picture in (PICTURES | evaluation.pictures).items()}
    page = run.write(
        "report.html",
        report_html(title, run.read_command(), evaluation.scores, pictures, captions, facts, evaluation.notes),
    )
    for logger in loggers:
        if isinstance(logger, pl.loggers.WandbLogger):
            log_to_wandb(logger, run, evaluation)
    return page


def log_to_wandb(logger: pl.loggers.WandbLogger, run: Run, evaluation: Evaluation) -> None:
    """Log the scores as summary keys ``<evaluation>/<score>`` and as a table, and the pictures as panels."""
    name = evaluation.protocol.name
    logger.experiment.summary.update(
        {f"{name}/{score.name}": score.value for score in evaluation.scores if math.isfinite(score.value)}
    )
    logger.log_table(
        "scores",
        columns=["score", "mean", "low", "high", "latents", "unit", "better"],
        data=[list(score[:7]) for score in evaluation.scores],
    )
    for file in sorted((run.folder / "pictures").glob("*.png")):
        logger.log_image(f"pictures/{file.stem}", [str(file)])
    logger.experiment.finish()
