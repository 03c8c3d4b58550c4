"""One table in four languages: Markdown, CSV, LaTeX, HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from latent_lab.console import escape_text
from latent_lab.csv_files import csv_text, escape_cell
from latent_lab.figures.templating import render

MARKDOWN = str.maketrans({letter: f"\\{letter}" for letter in "\\|`*~$"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})
LATEX = str.maketrans(
    {letter: f"\\{letter}" for letter in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    | {"↓": r"$\downarrow$", "↑": r"$\uparrow$", "±": r"$\pm$"}
)


class Cell(NamedTuple):
    """A mean with its 95 % interval.

    Arguments:
        mean: The mean.
        half: Half the width of the interval; nan if there is none.
        best: Whether it is surely better than every other row.
    """

    mean: float
    half: float
    best: bool

    def format(self) -> str:
        """Return the mean and half the interval with few digits; empty for nan."""
        if self.mean != self.mean:
            return ""
        return f"{self.mean:.3g}" if self.half != self.half else f"{self.mean:.3g} ± {self.half:.2g}"


class Table(NamedTuple):
    """Named rows and columns of cells.

    Arguments:
        columns: Name, unit and which way is better of each column.
        rows: Name and number of runs of each row.
        cells: A list of cells for each row.
    """

    columns: Sequence[tuple[str, str, str]]
    rows: Sequence[tuple[str, int]]
    cells: Sequence[Sequence[Cell]]

    def list_titles(self) -> list[str]:
        """Return a title for each column: its name, an arrow to the better side, and the unit."""
        arrows = {"lower": " ↓", "higher": " ↑"}
        return [
            f"{name}{arrows.get(better, '')}" + (f" [{unit}]" if unit else "") for name, unit, better in self.columns
        ]


def escape_markdown(text: str) -> str:
    """Return a text as a cell of a Markdown table, shown letter by letter in one line."""
    escaped = escape_text(text).translate(MARKDOWN).replace("](", r"]\(")
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", escaped)  # within a word it is no emphasis


def escape_latex(text: str) -> str:
    r"""Return a text as a cell of a LaTeX table.

    One that starts with ``[`` or ``*`` would otherwise be read as an option of the ``\\`` before it.
    """
    shown = escape_text(text)
    return ("{}" if shown[:1] in ("[", "*") else "") + shown.translate(LATEX)


def write_markdown(table: Table) -> str:
    """Return a table in Markdown, the surely best cells in bold."""
    lines = [
        "| method | runs | " + " | ".join(map(escape_markdown, table.list_titles())) + " |",
        "|---" * (len(table.columns) + 2) + "|",
    ]
    for (name, runs), cells in zip(table.rows, table.cells):
        texts = [f"**{cell.format()}**" if cell.best else cell.format() for cell in cells]
        lines.append(f"| {escape_markdown(name)} | {runs} | " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def write_csv(table: Table) -> str:
    """Return a table as CSV, with a row for each cell."""
    rows: list[list[object]] = [["method", "runs", "score", "unit", "better", "mean", "half_interval", "surely_best"]]
    for (name, runs), cells in zip(table.rows, table.cells):
        for (score, unit, better), cell in zip(table.columns, cells):
            numbers = [cell.mean, cell.half, int(cell.best)]
            rows.append([escape_cell(name), runs, *map(escape_cell, (score, unit, better)), *numbers])
    return csv_text(rows)


def write_latex(table: Table) -> str:
    """Return a table in LaTeX, the surely best cells in bold."""
    lines = [r"\begin{tabular}{l" + "r" * (len(table.columns) + 1) + "}", r"\hline"]
    lines.append(
        " & ".join(["method", "runs", *[escape_latex(title) for title in table.list_titles()]]) + r" \\ \hline"
    )
    for (name, runs), cells in zip(table.rows, table.cells):
        texts = [
            rf"\textbf{{{cell.format().translate(LATEX)}}}" if cell.best else cell.format().translate(LATEX)
            for cell in cells
        ]
        lines.append(" & ".join([escape_latex(name), str(runs), *texts]) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def html(table: Table) -> Markup:
    """Return a table in HTML, the surely best cells in bold."""
    titles = ["method", "runs", *table.list_titles()]
    return render("table", titles=titles, lines=list(zip(table.rows, table.cells)))
