"""Tables of gathered scores: which cells are surely better, and how far rows are from a chosen one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from latent_lab.evaluation.gather import reached, sample_of
from latent_lab.evaluation.intervals import correct, estimate, subtract
from latent_lab.figures.tables import Cell, Row, Table

LEAST, LEVEL = 0.95, 0.05  # share of the asked latents behind a number in bold; level of the comparisons
NOTES = {
    "*": "trained on a predictor of the attributes",
    "†": "one run: its interval is over latents alone; it takes no part where rows are compared",
    "‡": f"less than {LEAST:.0%} of the asked latents are behind it in some run; it is no part of comparisons",
    "§": "its interval is over seeds alone; it takes no part where rows are compared",
}
REFERENCE = "(reference)"
ABOUT = (
    "Mean over seeds and draws of latents, ± half its 95 % interval. Bold: surely better than every other row "
    "(paired over latents, Holm-corrected)."
)


def is_single(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has one run of a method that another seed would change."""
    return row["seeded"] and len(row["runs"]) < 2


def competes(row: Mapping[str, Any]) -> bool:
    """Tell whether a row takes part where rows are compared: not one run alone, and no reference that knows the
    attributes. The reference ``random`` does: a method must beat it."""
    return not is_single(row) and not (row["reference"] and row["supervised"])


def describe_row(label: str, row: Mapping[str, Any]) -> Row:
    """Return the head of a row: its name, its seeds and draws, and its marks."""
    counts = sorted({len(draws) for draws in row["runs"].values()})
    draws = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    marks = [REFERENCE] * row["reference"] + ["*"] * row["supervised"] + ["†"] * is_single(row)
    return Row(label, f"{len(row['runs'])} x {draws}", " ".join(marks))


def list_columns(scores: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, unit and better side of each score."""
    return [(name, about["unit"], about["better"]) for name, about in scores["columns"].items()]


def finish(scores: Mapping[str, Any], cells: Mapping[str, list[Cell]], about: str) -> Table:
    """Return the table of these cells, with a note for each mark in it."""
    heads = [describe_row(label, scores["rows"][label]) for label in cells]
    marks = {mark for head in heads for mark in head.marks.split()} | {c.mark for line in cells.values() for c in line}
    notes = [about, *(f"{mark} {text}." for mark, text in NOTES.items() if mark in marks)]
    return Table(list_columns(scores), heads, list(cells.values()), notes)


def table_of(scores: Mapping[str, Any]) -> Table:
    """Make a table of gathered scores (:func:`latent_lab.evaluation.gather.gather`), a row for each label.

    A cell is best if it is better than that of every competing row, if each difference excludes 0 after Holm's
    correction for the comparisons of its row in its column, and if nearly all asked latents are behind it.
    """
    cells: dict[str, list[Cell]] = {label: [] for label in scores["rows"]}
    for name, _, better in list_columns(scores):
        samples = {label: sample_of(row, name) for label, row in scores["rows"].items()}
        rivals = {
            label: samples[label]
            for label, row in scores["rows"].items()
            if competes(row) and reached(row, name) >= LEAST and not math.isnan(estimate(samples[label]).p)
        }
        for label, row in scores["rows"].items():
            found, share = estimate(samples[label]), reached(row, name)
            mark = ""
            if not math.isnan(found.mean) and share < LEAST:
                mark = "‡"
            elif math.isnan(found.p) and not math.isnan(found.half) and not is_single(row):
                mark = "§"
            best = False
            if better and label in rivals and len(rivals) > 1:
                sign = -1 if better == "lower" else 1
                gaps = [subtract(samples[label], other) for rival, other in rivals.items() if rival != label]
                best = all(sign * gap.mean > 0 for gap in gaps) and all(
                    p < LEVEL for p in correct([gap.p for gap in gaps])
                )
            cells[label].append(Cell(found.mean, found.half, best, mark, share))
    return finish(scores, cells, ABOUT)


def subtract_row(scores: Mapping[str, Any], against: str) -> Table:
    """Make a table of the differences of all rows to a chosen one, paired over latents, each with its interval and its
    probability under no difference, Holm-corrected within the column.

    Rows of one run have no differences, and neither has a row that lacks the score. Bold: the difference excludes 0
    after the correction.

    Raises:
        ValueError: There is no such row, or it has one run.
    """
    rows = scores["rows"]
    if against not in rows:
        raise ValueError(f"against must be one of the rows {list(rows)}, got {against!r}")
    if is_single(rows[against]):
        raise ValueError(f"against must be a row of at least two runs, got {against!r}, which has one")
    cells: dict[str, list[Cell]] = {label: [] for label in rows if label != against}
    for name, _, _ in list_columns(scores):
        base = sample_of(rows[against], name)
        gaps = [subtract(sample_of(rows[label], name), base) for label in cells]
        for label, gap, p in zip(cells, gaps, correct([gap.p for gap in gaps]), strict=True):
            share = min(reached(rows[label], name), reached(rows[against], name))
            if math.isnan(p):
                cells[label].append(Cell(math.nan, math.nan, False))
            else:
                mark = "‡" if share < LEAST else ""
                cells[label].append(Cell(gap.mean, gap.half, p < LEVEL and share >= LEAST, mark, share, p))
    about = (
        f"Difference to {against}, paired over latents, ± half its 95 % interval, and p, Holm-corrected. "
        "Bold: the difference excludes 0."
    )
    return finish(scores, cells, about)
