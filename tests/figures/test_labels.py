"""Labels of strangers are drawn letter by letter, and no figure grows with them."""

from __future__ import annotations

import io
import warnings

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from latent_lab.figures import curves
from latent_lab.figures.curves import draw_bands, draw_curves, draw_lines, draw_matrix
from latent_lab.figures.labels import make_label, shorten
from latent_lab.figures.page import page_html, png_bytes
from latent_lab.figures.strips import Strip, draw_rows

STRANGE = [
    "$a_b^$",
    "$",
    "\\$x$",
    "_hidden",
    "",
    "two\nlines",
    "\x1b[31m",
    "\udcff",
    "日本",
    "y" * 10_000,
    "\n" * 10_000,
    "<b>&",
    "W" * 10_000,
    "\ufdfd" * 100,
    "กำ" * 100,
]
FIGURES = {
    "lines": lambda text: draw_lines({text: [(0, 1), (1, 2)], "other": [(0, 2)]}, text, text),
    "bands": lambda text: draw_bands({text: [(0, 1, 0.1), (1, 2, 0.1)]}, text, text),
    "curves": lambda text: draw_curves({f"{text}/loss": [(0, 1), (1, 2)], f"train/{text}": [(0, 2)]}),
    "matrix": lambda text: draw_matrix(np.eye(2), [text, "a"], ["b", text], text, text, text),
    "strips": lambda text: draw_rows([Strip(text, torch.zeros(2, 1, 8, 8))] * 2, [text, "a"], text, 0),
}


def drawn(text: str) -> np.ndarray:
    figure = Figure(figsize=(3, 0.4))
    figure.text(0, 0.3, text, parse_math=False)
    return np.asarray(Image.open(io.BytesIO(png_bytes(figure, 80))))


def labelled(text: str) -> np.ndarray:
    figure = Figure(figsize=(3, 0.4))
    figure.text(0, 0.3, make_label(text))
    return np.asarray(Image.open(io.BytesIO(png_bytes(figure, 80))))


@pytest.mark.parametrize("text", ["$a_b^$", "$", "\\$", "\\$x$", "a$b$c$", "_a", "\\alpha", "a^2"])
def test_labels_are_drawn_letter_by_letter(text):
    assert (labelled(text) == drawn(text)).all() and (labelled(text) < 255).any()


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("text", STRANGE, ids=lambda text: ascii(text[:12]))
def test_no_label_kills_a_figure_or_makes_it_large(name, text):
    before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        size = Image.open(io.BytesIO(png_bytes(FIGURES[name](text), 50))).size
    assert max(size) < 800
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("names", [["_hidden", "shown"], ["", "$a$"]])
def test_no_legend_leaves_a_line_out(names):
    (legend,) = draw_lines({name: [(0, 1)] for name in names}, "x", "y").legends
    assert [text.get_text() for text in legend.get_texts()] == [make_label(name) for name in names]
    panel = draw_curves({f"{name}/loss": [(0, 1)] for name in names}).axes[0]
    assert sorted(text.get_text() for text in panel.get_legend().get_texts()) == sorted(map(make_label, names))


def test_a_thousand_metrics_are_a_picture_that_opens(monkeypatch):
    monkeypatch.setattr(curves, "PANELS", 6)
    figure = draw_curves({f"train/m{number:04}": [(0, 1)] for number in range(1000)})
    assert figure.get_size_inches().max() < 13 and figure.get_supxlabel() == "step, 994 more metrics are not shown"


def test_long_labels_lose_their_middle():
    assert (
        shorten("abcdefghij", 10) == "abcdefghij"
        and shorten("abcdefghijk", 10) == "abcde…hijk"
        and shorten("abc", 2) == "a…"
    )
    assert make_label("a\nb\nc", lines=2) == "a\nb c" and make_label("a\nb") == "a b"
    assert len(make_label("y" * 1000, 30)) == 30


def test_pages_show_strange_texts_in_one_line():
    text = 'a"\n\x1b<script>\udcff'
    page = page_html(text, [(text, b"1"), (text, "<p>"), (text, b"1")])
    assert (
        page.encode()
        and not {"\x1b", "<script>", 'a"'} & set(page.split())
        and page.count("&#34; \\x1b&lt;script&gt;\\udcff") == 7
    )
