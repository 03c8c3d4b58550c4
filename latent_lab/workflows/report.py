"""What a run leaves for people: scores, pictures and one page, in its folder and in the loggers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl

from latent_lab.pictures.curves import curve_figure, matrix_figure
from latent_lab.pictures.report import png_bytes, report_html
from latent_lab.pictures.strips import Strip, sequence_figure, strip_figure
from latent_lab.runs import Run
from latent_lab.workflows.evaluate import Evaluation

CAPTIONS = {
    "strips": "The best paths from one latent, over the amount of the edit; the original is framed.",
    "sequences": "Two edits one after the other, in both orders, and undone in the order in which they were made: with commuting edits columns 3 and 4 agree, and the last is the original.",
    "side_effects": "Change of every attribute (columns) when a target attribute (rows) is edited along its path, in percent of the target's change.",
    "commutativity": "Relative distance of the latents after two edits in both orders, for each pair of the best paths.",
    "curves": "Training curves.",
}
SEQUENCE = ("original", "edit 1", "1 then 2", "2 then 1", "undone")


def write_report(run: Run, evaluation: Evaluation, loggers: Sequence[pl.loggers.Logger]) -> Path:
    """Writes ``metrics.json``, ``metrics.csv``, ``pictures/*.png`` and ``report.html``; returns the page."""
    chosen = evaluation.chosen
    scores = {
        score.name: {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in score._asdict().items()
            if key != "name"
        }
        for score in evaluation.scores
    }
    metrics = run.read_json("metrics.json") | {
        "scores": scores,
        "chosen_paths": [pick._asdict() for pick in chosen],
        "commutativity_matrix": evaluation.commutativity.tolist(),
        "side_effects": {
            "targets": evaluation.targets,
            "attributes": evaluation.attributes,
            "percent": evaluation.side_effects.tolist() if evaluation.side_effects is not None else None,
        },
    }
    run.write("metrics.json", json.dumps(metrics, indent=1))
    curves = run.collect_curves()

    titles = [f"path {pick.path}: {pick.attribute}\nat 1: eps = {pick.amount:.2f}" for pick in chosen]
    strips = [Strip(title, images) for title, images in zip(titles, evaluation.strips)]
    sequences = [Strip(title, images) for title, images in zip(evaluation.pairs, evaluation.sequences)]
    figures = {
        "strips": strip_figure(strips, evaluation.strip_amounts, f"eps, 1 = a realised length of {evaluation.length:g}"),
        "sequences": sequence_figure(sequences, SEQUENCE),
    }
    if evaluation.side_effects is not None:
        figures["side_effects"] = matrix_figure(
            evaluation.side_effects.numpy(), evaluation.targets, evaluation.attributes, "%", "target", "changed"
        )
    names = [str(pick.path) for pick in chosen]
    figures["commutativity"] = matrix_figure(evaluation.commutativity.numpy(), names, names, "relative", "first path", "second path")
    if curves:
        figures["curves"] = curve_figure(curves)
    pictures = {name: png_bytes(figure, 110) for name, figure in figures.items()}
    for name, content in pictures.items():
        run.write(f"pictures/{name}.png", content)

    environment = run.read_json("environment.json")
    facts = {key: str(value) for key, value in environment.items() if key != "versions"} | environment["versions"]
    command = (run.folder / "command.txt").read_text().strip()
    page = run.write("report.html", report_html(run.folder.parent.name, command, evaluation.scores, pictures, CAPTIONS, facts))
    for logger in loggers:
        if isinstance(logger, pl.loggers.WandbLogger):
            log_to_wandb(logger, run, evaluation)
    return page


def log_to_wandb(logger: pl.loggers.WandbLogger, run: Run, evaluation: Evaluation) -> None:
    """The score table and the pictures as panels."""
    logger.log_table(
        "scores", columns=["score", "mean", "low", "high", "latents", "unit", "better"], data=[list(score) for score in evaluation.scores]
    )
    for file in sorted((run.folder / "pictures").glob("*.png")):
        logger.log_image(f"pictures/{file.stem}", [str(file)])
    logger.experiment.finish()
