"""Comparisons of runs: rows are methods, columns are scores, with intervals over seeds."""

from __future__ import annotations

import fnmatch
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from scipy.stats import t as student

from latent_lab.configuration.signatures import locate_class
from latent_lab.console import log
from latent_lab.evaluation.panels import PICTURES
from latent_lab.figures.curves import draw_bands
from latent_lab.figures.page import page_html, png_bytes
from latent_lab.figures.tables import Cell, Table, html, write_csv, write_latex, write_markdown
from latent_lab.installation import list_named_classes
from latent_lab.metrics.base import Measurement, Picture
from latent_lab.plain import has_form
from latent_lab.runs import Run, write_atomically

NAN = float("nan")
SCORE = {"mean": (float, None), "low": (float, None), "high": (float, None), "unit": str, "better": str}
FORM = {"scores": {str: SCORE}}  # of an evaluation in metrics.json, and its curves
CURVES = {str: [[float]]}


@dataclass(frozen=True)
class Scored:
    """A run with its scores by name: mean, interval, unit and which way is better."""

    run: Run
    gan: str
    label: str
    seed: int
    result: dict

    def value(self, score: str) -> float:
        """Return the mean of a score; nan where the run does not have it."""
        mean = self.result["scores"].get(score, {}).get("mean")
        return NAN if mean is None else mean


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of the values that are numbers, and half the width of its 95 % interval by Student's t (nan from
    fewer than two)."""
    values = [value for value in values if value == value]
    if len(values) < 2:
        return (values[0] if values else NAN), NAN
    return statistics.fmean(values), float(student.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(
        values
    ) ** 0.5


def surely_better(ours: dict[int, float], theirs: dict[int, float], better: str) -> bool:
    """Tell whether the paired difference over the seeds of both excludes 0, on the better side. Two seeds are needed at
    least."""
    pairs = [
        ours[seed] - theirs[seed]
        for seed in ours.keys() & theirs.keys()
        if ours[seed] == ours[seed] and theirs[seed] == theirs[seed]
    ]
    if len(pairs) < 2:
        return False
    mean, half = interval(pairs)
    return mean + half < 0 if better == "lower" else mean - half > 0


def make_table(rows: dict[str, list[Scored]], scores: Sequence[str]) -> Table:
    """Make a table with a row for each group of runs. A cell is best if it is surely better than that of every other
    row."""
    about = {name: entry for runs in rows.values() for one in runs for name, entry in one.result["scores"].items()}
    columns = [(name, about[name]["unit"], about[name]["better"]) for name in scores]
    values = {
        label: {name: {one.seed: one.value(name) for one in runs} for name in scores} for label, runs in rows.items()
    }
    cells = []
    for label, runs in rows.items():
        line = []
        for name, _, better in columns:
            mean, half = interval(list(values[label][name].values()))
            entry = runs[0].result["scores"].get(name, {})
            if len(runs) == 1 and entry.get("low") is not None:
                half = (entry["high"] - entry["low"]) / 2  # one run: over its latents
            others = [values[other][name] for other in rows if other != label]
            best = bool(better and others) and all(
                surely_better(values[label][name], other, better) for other in others
            )
            line.append(Cell(mean, half, best))
        cells.append(line)
    return Table(columns, [(label, len(runs)) for label, runs in rows.items()], cells)


def describe_floors(rows: dict[str, list[Scored]]) -> str:
    """Say in one sentence which scores no method can fall below."""
    entries = {
        name: entry
        for runs in rows.values()
        for name, entry in runs[0].result["scores"].items()
        if name.startswith("floor/")
    }
    rounding = ", ".join(
        f"{entry['mean']:.2g} {entry['unit']} in {name.split('/')[-1]}" for name, entry in entries.items()
    )
    return (
        "Floors: an edit of amount 0 scores 0 on every error; two straight edits, exchanged, differ by rounding: "
        f"{rounding}."
    )


def read_scored(runs: Sequence[Run], protocol: str) -> list[Scored]:
    """Return the runs that have scores of an evaluation; the others are named and left out.

    Arguments:
        runs: The runs.
        protocol: The evaluation's name.

    Raises:
        ValueError: Scores do not have the form that an evaluation writes.
    """
    scored, skipped = [], []
    for run in runs:
        made, result = run.read_config(), run.read_json("metrics.json").get(protocol)
        if result is None:
            skipped.append(run.folder)
        elif not has_form(result, FORM) or not all(
            has_form(lines, CURVES) for name, lines in result.items() if name.endswith("_curves")
        ):
            raise ValueError(
                f"{run.folder / 'metrics.json'} must hold scores as an evaluation writes them under {protocol!r}; "
                f"evaluate {run.folder} again"
            )
        else:
            scored.append(Scored(run, made["gan"]["name"], run.read_label(), made["seed"], result))
    for folder in skipped if scored else ():
        log.info(f"{folder} has no evaluation {protocol} and is left out")
    return scored


def write_comparison(scored: Sequence[Scored], columns: Sequence[str], target: Path, title: str) -> dict[str, Table]:
    """Write ``<target>/<gan>.{md,csv,tex}`` for each generator and one ``compare.html``.

    Returns:
        The tables by generator.

    Arguments:
        scored: The runs.
        columns: Patterns of the scores' names, in order; the CSV file has all.
        target: The folder.
        title: The page's heading.
    """
    parts: list[tuple[str, Markup | bytes]] = []
    tables = {}
    for gan in sorted({one.gan for one in scored}):
        rows: dict[str, list[Scored]] = {}
        for one in scored:
            if one.gan == gan:
                rows.setdefault(one.label, []).append(one)
        every = list(dict.fromkeys(name for runs in rows.values() for one in runs for name in one.result["scores"]))
        shown = [name for pattern in columns for name in every if fnmatch.fnmatch(name, pattern)]
        table = tables[gan] = make_table(rows, list(dict.fromkeys(shown)))
        write_atomically(target / f"{gan}.md", f"{write_markdown(table)}\n{describe_floors(rows)}\n")
        write_atomically(target / f"{gan}.csv", write_csv(make_table(rows, every)))
        write_atomically(target / f"{gan}.tex", write_latex(table))
        parts += parts_of(gan, rows, table)
    write_atomically(target / "compare.html", page_html(title, parts))
    return tables


def parts_of(gan: str, rows: dict[str, list[Scored]], table: Table) -> Iterator[tuple[str, Markup | bytes]]:
    """Yield the captioned parts of the page about one generator: table, curves, and the pictures of each row's first
    run."""
    about = "scores, mean and 95 % interval over runs; bold where surely better than every other row"
    yield f"{gan}: {about}. {describe_floors(rows)}", html(table)
    for name, picture in pictures_of_metrics().items():
        if not picture.beside_others:
            continue
        if picture.x:
            figure = draw_bands(bands_of(rows, name), picture.x, picture.y)
            if figure is not None:
                yield f"{gan}: {picture.beside_others}", png_bytes(figure, 110)
            continue
        for label, runs in rows.items():
            file = runs[0].run.folder / "pictures" / f"{name}.png"
            if file.exists():
                yield f"{gan}, {label} (seed {runs[0].seed}): {picture.beside_others}", file.read_bytes()


def pictures_of_metrics() -> dict[str, Picture]:
    """Return what the pictures of an evaluation show, by their names: its own, and those of every metric that a
    configuration here names."""
    found = dict(PICTURES)
    targets = {name for kind, names in list_named_classes().items() if kind.split(".")[0] == "metric" for name in names}
    for metric in map(locate_class, sorted(targets)):
        if metric is not None and issubclass(metric, Measurement):
            found |= metric.pictures
    return found


def bands_of(rows: dict[str, list[Scored]], name: str) -> dict[str, list[tuple[float, float, float]]]:
    """Return the mean of a picture's curves at each of their places, with half its interval over runs: (place, mean,
    half) for each row."""
    bands = {}
    for label, runs in rows.items():
        at: dict[float, list[float]] = {}
        for one in runs:
            own: dict[float, list[float]] = {}
            for points in one.result.get(f"{name}_curves", {}).values():
                for place, value in points:
                    own.setdefault(place, []).append(value)
            for place, values in own.items():
                at.setdefault(place, []).append(statistics.fmean(values))
        if at:
            bands[label] = [(place, *interval(values)) for place, values in sorted(at.items())]
    return bands
