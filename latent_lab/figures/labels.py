"""Text in figures, as it was written: no formula, nothing hidden, nothing wider than the figure."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from latent_lab.console import escape_text


def shorten(text: str, longest: int) -> str:
    """Return the text, with its middle left out if it has more than ``longest`` letters."""
    if len(text) <= longest:
        return text
    tail = (longest - 1) // 2
    return f"{text[: longest - 1 - tail]}…{text[len(text) - tail :]}"


def make_label(text: object, longest: int = 60, lines: int = 1) -> str:
    r"""Make any text a label that matplotlib draws letter by letter, a title of an axis as well as a name in a legend.

    Dollars begin no formula, control characters are drawn as escapes, and long lines lose their middle.

    Arguments:
        text: Text of the label.
        longest: Letters a line.
        lines: Lines that the label may have; what comes after stands in the last one.

    >>> make_label("$a_b^$")
    '\\$a_b^\\$'
    """
    parts = str(text).split("\n", lines - 1)
    return "\n".join(shorten(escape_text(part), longest).replace("$", r"\$") for part in parts)


def add_legend(
    owner: Axes | Figure, lines: Sequence[Artist], names: Sequence[str], longest: int, **options: object
) -> Legend:
    """Add a legend of all lines. Matplotlib by itself leaves out those whose names are empty or start with ``_``.

    Arguments:
        owner: Axes or figure that the legend belongs to.
        lines: The lines.
        names: Name of each line.
        longest: Letters a name.
        **options: Options of matplotlib's legend.
    """
    legend = owner.legend(lines, [str(i) for i in range(len(lines))], **options)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(make_label(name, longest))
    return legend
