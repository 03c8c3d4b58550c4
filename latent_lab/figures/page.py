"""One page that shows a run: no script, no file beside it, nothing from the network."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence

from markupsafe import Markup
from matplotlib.figure import Figure

from latent_lab.figures.templating import render


def png_bytes(figure: Figure, dpi: int) -> bytes:
    """The figure as PNG; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a box is drawn for a letter that the font lacks
        warnings.filterwarnings("ignore", "constrained_layout not applied")  # as where such boxes are wide
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None}, facecolor="white")
    return buffer.getvalue()


def report_html(
    title: str,
    command: str,
    scores: Sequence[object],
    pictures: Mapping[str, bytes],
    captions: Mapping[str, str],
    facts: Mapping[str, str],
    notes: Sequence[str] = (),
) -> str:
    """The page of a run.

    Arguments:
        title: Its heading.
        command: Command line that reproduces the run.
        scores: The lines of the table, each with ``name``, ``value``, ``low`` and ``high`` (nan where there is no
            interval), ``num`` (how many latents), ``unit`` and ``better``.
        pictures: PNG files by name, in order.
        captions: A sentence for each picture.
        facts: Versions, threads, device, commit.
        notes: Remarks for a reader of the scores.
    """
    shown = [(captions[name], content) for name, content in pictures.items()]
    values = {"command": command, "scores": scores, "pictures": shown, "facts": facts, "notes": notes}
    return f"{render('report', title=title, **values)}\n"


def page_html(title: str, parts: Sequence[tuple[str, Markup | bytes]]) -> str:
    """A page of captioned parts, each HTML or a PNG file's content."""
    return f"{render('page', title=title, parts=parts)}\n"
