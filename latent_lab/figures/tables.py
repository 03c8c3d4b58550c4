"""One table in four languages: Markdown, CSV, LaTeX, HTML."""

from __future__ import annotations

import math
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
    | {"↓": r"$\downarrow$", "↑": r"$\uparrow$", "±": r"$\pm$", "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}"}
)

SIZE = "seeds x draws"


class Cell(NamedTuple):
    """A mean with its 95 % interval.

    Arguments:
        mean: The mean.
        half: Half the width of the interval; nan if there is none.
        best: Whether it is surely better than every other row.
        mark: Sign of the note that speaks of it; empty for none.
        reached: Share of the asked latents behind it; nan if that is not known.
        p: Probability of so large a difference by chance; nan where the cell is no difference.
    """

    mean: float
    half: float
    best: bool
    mark: str = ""
    reached: float = math.nan
    p: float = math.nan

    def format(self) -> str:
        """Return the mean and half the interval with few digits, p and the mark; empty for nan."""
        if self.mean != self.mean:
            return ""
        text = f"{self.mean:.3g}" if self.half != self.half else f"{self.mean:.3g} ± {self.half:.2g}"
        text += "" if self.p != self.p else ", p < 0.001" if self.p < 0.001 else f", p = {self.p:.2g}"
        return f"{text} {self.mark}" if self.mark else text


class Row(NamedTuple):
    """The head of a row.

    Arguments:
        name: Its name.
        size: Numbers of seeds and of draws, such as ``5 x 3``.
        marks: What stands behind the name, such as signs of notes.
    """

    name: str
    size: str
    marks: str = ""

    def title(self) -> str:
        """Return the name with its marks."""
        return f"{self.name} {self.marks}" if self.marks else self.name


class Table(NamedTuple):
    """Named rows and columns of cells.

    Arguments:
        columns: Name, unit and which way is better of each column.
        rows: The head of each row.
        cells: A list of cells for each row.
        notes: Sentences below the table.
    """

    columns: Sequence[tuple[str, str, str]]
    rows: Sequence[Row]
    cells: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()

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
        f"| method | {SIZE} | " + " | ".join(map(escape_markdown, table.list_titles())) + " |",
        "|---" * (len(table.columns) + 2) + "|",
    ]
    for row, cells in zip(table.rows, table.cells):
        texts = [f"**{cell.format()}**" if cell.best else cell.format() for cell in cells]
        lines.append(f"| {escape_markdown(row.title())} | {row.size} | " + " | ".join(texts) + " |")
    return "\n".join([*lines, *(f"\n{escape_markdown(note)}" for note in table.notes)]) + "\n"


def write_csv(table: Table) -> str:
    """Return a table as CSV, with a row for each cell."""
    titles = ["method", SIZE, "score", "unit", "better", "mean", "half_interval", "surely_best", "reached"]
    rows: list[list[object]] = [[*titles]]
    for row, cells in zip(table.rows, table.cells):
        for (score, unit, better), cell in zip(table.columns, cells):
            numbers = [cell.mean, cell.half, int(cell.best), cell.reached]
            rows.append([escape_cell(row.name), row.size, *map(escape_cell, (score, unit, better)), *numbers])
    return csv_text(rows)


def write_latex(table: Table) -> str:
    """Return a table in LaTeX, the surely best cells in bold."""
    lines = [r"\begin{tabular}{l" + "r" * (len(table.columns) + 1) + "}", r"\hline"]
    lines.append(" & ".join(["method", SIZE, *[escape_latex(title) for title in table.list_titles()]]) + r" \\ \hline")
    for row, cells in zip(table.rows, table.cells):
        texts = [
            rf"\textbf{{{cell.format().translate(LATEX)}}}" if cell.best else cell.format().translate(LATEX)
            for cell in cells
        ]
        lines.append(" & ".join([escape_latex(row.title()), row.size, *texts]) + r" \\")
    notes = [rf"\par{{\footnotesize {escape_latex(note)}}}" for note in table.notes]
    return "\n".join([*lines, r"\hline", r"\end{tabular}", *notes]) + "\n"


def html(table: Table) -> Markup:
    """Return a table in HTML, the surely best cells in bold."""
    titles = ["method", SIZE, *table.list_titles()]
    return render("table", titles=titles, lines=list(zip(table.rows, table.cells)), notes=table.notes)
