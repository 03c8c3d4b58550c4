"""Comparisons of runs, in files and on a page: rows are methods, columns are scores, with intervals."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from latent_lab.configuration.signatures import locate_class
from latent_lab.evaluation.gather import Scored, choose_rules, gather, show, write_scores
from latent_lab.evaluation.intervals import interval
from latent_lab.evaluation.panels import PICTURES
from latent_lab.evaluation.rows import subtract_row, table_of
from latent_lab.figures.curves import draw_bands
from latent_lab.figures.page import page_html, png_bytes
from latent_lab.figures.tables import Table, html, write_csv, write_latex, write_markdown
from latent_lab.installation import list_named_classes
from latent_lab.metrics.base import Measurement, Picture
from latent_lab.runs import write_atomically


def write_comparison(
    scored: Sequence[Scored], columns: Sequence[str], target: Path, title: str, against: str | None = None
) -> list[Table]:
    """Compare runs, each generator by itself: tables, the scores behind them, and one page, in a folder.

    Returns:
        The tables, by generator.

    Arguments:
        scored: The runs.
        columns: Patterns of the scores' names, in order; the CSV file has all.
        target: The folder.
        title: The page's heading.
        against: Label of a row; the differences of all others to it get a table of their own. None for no such table.

    Raises:
        ValueError: No such row can be compared with.
    """
    parts: list[tuple[str, Markup | bytes]] = []
    tables = []
    by_gan: dict[str, list[Scored]] = {}
    for one in scored:
        by_gan.setdefault(one.gan, []).append(one)
    chosen = {gan: choose_rules(runs) for gan, runs in sorted(by_gan.items())}
    for gan, runs in chosen.items():
        every = gather(runs)
        shown = show(every, columns)
        found = write_tables(shown, target, against)
        write_atomically(target / f"{gan}.csv", write_csv(table_of(every)))
        tables += found
        parts += [(gan, html(table)) for table in found]
        rows: dict[str, list[Scored]] = {}
        for one in runs:
            rows.setdefault(one.label, []).append(one)
        parts += parts_of(gan, rows)
    write_atomically(target / "compare.html", page_html(title, parts))
    return tables


def rebuild(scores: Mapping[str, Any], target: Path, title: str, against: str | None = None) -> list[Table]:
    """Write the tables of gathered scores again (:func:`latent_lab.evaluation.gather.read_scores`), and a page of
    them."""
    tables = write_tables(scores, target, against)
    write_atomically(target / f"{scores['gan']}.csv", write_csv(tables[0]))
    write_atomically(target / "compare.html", page_html(title, [(scores["gan"], html(table)) for table in tables]))
    return tables


def write_tables(scores: Mapping[str, Any], target: Path, against: str | None) -> list[Table]:
    """Write ``<gan>.md``, ``<gan>.tex`` and ``<gan>.scores.json``, and ``<gan>.differences.md`` against a row; return
    the tables."""
    gan = scores["gan"]
    tables = [table_of(scores)] + ([] if against is None else [subtract_row(scores, against)])
    write_atomically(target / f"{gan}.md", write_markdown(tables[0]))
    write_atomically(target / f"{gan}.tex", write_latex(tables[0]))
    write_atomically(target / f"{gan}.scores.json", write_scores(scores))
    for table in tables[1:]:
        write_atomically(target / f"{gan}.differences.md", write_markdown(table))
    return tables


def parts_of(gan: str, rows: dict[str, list[Scored]]) -> Iterator[tuple[str, Markup | bytes]]:
    """Yield the captioned pictures of the page about one generator: curves, and those of each row's first run."""
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
            lines = [points for draw in one.draws.values() for points in draw.get(f"{name}_curves", {}).values()]
            for place, value in [point for points in lines for point in points]:
                own.setdefault(place, []).append(value)
            for place, values in own.items():
                at.setdefault(place, []).append(statistics.fmean(values))
        if at:
            bands[label] = [(place, *interval(values)) for place, values in sorted(at.items())]
    return bands
