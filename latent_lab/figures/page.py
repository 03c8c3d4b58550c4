"""One page that shows a run: no script, no file beside it, nothing from the network."""

from __future__ import annotations

import base64
import io
import math
import warnings
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from matplotlib.figure import Figure

from latent_lab.figures.tables import html_text

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: .6rem .8rem; border: 1px solid #8886; border-radius: 4px; }
table { border-collapse: collapse; } td, th { padding: .15rem .9rem .15rem 0; text-align: left; border-bottom: 1px solid #8884; }
td.number { font-variant-numeric: tabular-nums; text-align: right; }
figure { margin: 1.5rem 0; } img { max-width: 100%; background: white; } figcaption { opacity: .75; }
@media print { body { max-width: none; } figure { break-inside: avoid; } }
"""


class Row(NamedTuple):
    """A line of the score table: a mean over ``num`` latents and its 95 % interval (nan where there is none)."""

    name: str
    mean: float
    low: float
    high: float
    num: int
    unit: str
    better: str


def png_bytes(figure: Figure, dpi: int) -> bytes:
    """The figure as PNG; equal figures give equal bytes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a box is drawn for a letter that the font lacks
        warnings.filterwarnings("ignore", "constrained_layout not applied")  # as where such boxes are wide
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None}, facecolor="white")
    return buffer.getvalue()


def number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"


def score_table(scores: Sequence[Row]) -> str:
    """The scores as an HTML table."""
    lines = ["<tr><th>score</th><th>mean</th><th>95 % interval</th><th>latents</th><th>unit</th><th>better</th></tr>"]
    for score in scores:
        interval = "" if math.isnan(score.low) else f"{number(score.low)} to {number(score.high)}"
        numbers = "".join(f'<td class="number">{text}</td>' for text in (number(score.mean), interval, str(score.num)))
        lines.append(
            f"<tr><td>{html_text(score.name)}</td>{numbers}<td>{html_text(score.unit)}</td><td>{html_text(score.better)}</td></tr>"
        )
    return f"<table>{''.join(lines)}</table>"


def report_html(
    title: str,
    command: str,
    scores: Sequence[Row],
    pictures: Mapping[str, bytes],
    captions: Mapping[str, str],
    facts: Mapping[str, str],
    notes: Sequence[str] = (),
) -> str:
    """The page.

    Arguments:
        title: Its heading.
        command: What reproduces the run.
        scores: The score table.
        pictures: PNG files by name, in order.
        captions: A sentence for each picture.
        facts: Versions, threads, device, commit.
        notes: What a reader of the scores must know.
    """
    figures = [image_html(content, captions[name]) for name, content in pictures.items()]
    rows = "".join(f"<tr><td>{html_text(key)}</td><td>{html_text(value)}</td></tr>" for key, value in facts.items())
    remarks = f"<ul>{''.join(f'<li>{html_text(note)}</li>' for note in notes)}</ul>" if notes else ""
    return document(
        title,
        f"<h2>Reproduce</h2><pre>{escape(command)}</pre><h2>Paths</h2>{''.join(figures[:2])}"
        f"<h2>Scores</h2>{score_table(scores)}{remarks}{''.join(figures[2:])}<h2>Made with</h2><table>{rows}</table>",
    )


def page_html(title: str, parts: Sequence[tuple[str, str | bytes]]) -> str:
    """A page of captioned parts, each HTML or a PNG file's content."""
    bodies = [
        image_html(content, caption) if isinstance(content, bytes) else f"<h2>{html_text(caption)}</h2>{content}"
        for caption, content in parts
    ]
    return document(title, "".join(bodies))


def image_html(content: bytes, caption: str) -> str:
    """A PNG file as a figure that holds it."""
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return (
        f'<figure><img alt="{html_text(caption)}" src="{source}"><figcaption>{html_text(caption)}</figcaption></figure>'
    )


def document(title: str, body: str) -> str:
    """A self-contained HTML page."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html_text(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html_text(title)}</h1>{body}</body></html>\n"
    )
