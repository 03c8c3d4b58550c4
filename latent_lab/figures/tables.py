"""One table in four languages: Markdown, CSV, LaTeX, HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from latent_lab.console import escape_text
from latent_lab.csv_files import cell_text, csv_text
from latent_lab.figures.templating import render

MARKDOWN = str.maketrans({letter: f"\\{letter}" for letter in "\\|`*~$"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})
LATEX = str.maketrans(
    {letter: f"\\{letter}" for letter in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    | {"↓": r"$\downarrow$", "↑": r"$\uparrow$", "±": r"$\pm$"}
)


class Cell(NamedTuple):
    """A mean and half the width of its 95 % interval (nan where there is none); ``best``: better than every other row,
    surely."""

    mean: float
    half: float
    best: bool

    def text(self) -> str:
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

    def titles(self) -> list[str]:
        arrows = {"lower": " ↓", "higher": " ↑"}
        return [
            f"{name}{arrows.get(better, '')}" + (f" [{unit}]" if unit else "") for name, unit, better in self.columns
        ]


def markdown_text(text: str) -> str:
    """Make a text a cell of a Markdown table that is shown letter by letter, in one line."""
    escaped = escape_text(text).translate(MARKDOWN).replace("](", r"]\(")
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", escaped)  # within a word it is no emphasis


def latex_text(text: str) -> str:
    r"""Make a text a cell of a LaTeX table; one that starts with ``[`` or ``*`` would be an option of the ``\\`` before
    it."""
    shown = escape_text(text)
    return ("{}" if shown[:1] in ("[", "*") else "") + shown.translate(LATEX)


def markdown(table: Table) -> str:
    lines = [
        "| method | runs | " + " | ".join(map(markdown_text, table.titles())) + " |",
        "|---" * (len(table.columns) + 2) + "|",
    ]
    for (name, runs), cells in zip(table.rows, table.cells):
        texts = [f"**{cell.text()}**" if cell.best else cell.text() for cell in cells]
        lines.append(f"| {markdown_text(name)} | {runs} | " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def comma_separated(table: Table) -> str:
    rows: list[list[object]] = [["method", "runs", "score", "unit", "better", "mean", "half_interval", "surely_best"]]
    for (name, runs), cells in zip(table.rows, table.cells):
        for (score, unit, better), cell in zip(table.columns, cells):
            numbers = [cell.mean, cell.half, int(cell.best)]
            rows.append([cell_text(name), runs, *map(cell_text, (score, unit, better)), *numbers])
    return csv_text(rows)


def latex(table: Table) -> str:
    lines = [r"\begin{tabular}{l" + "r" * (len(table.columns) + 1) + "}", r"\hline"]
    lines.append(" & ".join(["method", "runs", *[latex_text(title) for title in table.titles()]]) + r" \\ \hline")
    for (name, runs), cells in zip(table.rows, table.cells):
        texts = [
            rf"\textbf{{{cell.text().translate(LATEX)}}}" if cell.best else cell.text().translate(LATEX)
            for cell in cells
        ]
        lines.append(" & ".join([latex_text(name), str(runs), *texts]) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def html(table: Table) -> Markup:
    titles = ["method", "runs", *table.titles()]
    return render("table", titles=titles, lines=list(zip(table.rows, table.cells)))
