"""Pictures show the values as they are; the page stands alone."""

import math
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from latent_lab.figures.curves import draw_curves, draw_matrix
from latent_lab.figures.page import png_bytes, report_html
from latent_lab.figures.strips import GAP, Strip, draw_sequences, draw_strips, tile_images
from latent_lab.metrics.base import Score


@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_is_never_stretched(channels):
    images = torch.stack([torch.full((channels, 4, 4), value) for value in (-1.0, 0.0, 0.5, 1.0, 3.0)])
    canvas = tile_images([images])
    assert canvas.shape == (4, 5 * (4 + GAP) - GAP, 3)
    assert np.allclose([canvas[1, j * (4 + GAP) + 1, 0] for j in range(5)], [0, 0.5, 0.75, 1, 1])


def test_rows_must_fit_their_labels():
    with pytest.raises(ValueError, match="must hold 3 images each, one a label, got 2 in 'a'"):
        draw_strips([Strip("a", torch.zeros(2, 1, 4, 4))], [-1.0, 0.0, 1.0])


def test_the_original_is_framed_and_amounts_label_the_axis():
    figure = draw_strips([Strip("a", torch.zeros(3, 1, 8, 8))], [-2.0, 0.0, 2.0])
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["-2", "original", "+2"]
    assert axes.get_xlabel() == "eps"
    (frame,) = axes.patches
    assert frame.get_x() == 8 + GAP - GAP / 2


def test_equal_figures_give_equal_bytes():
    def make():
        return png_bytes(draw_sequences([Strip("a", torch.zeros(2, 1, 8, 8))], ["original", "edit 1"]), 80)

    assert make() == make() and make()[:4] == b"\x89PNG"


def test_train_and_val_share_a_panel_and_wide_values_are_logarithmic():
    table = {
        "train/loss": [(0, 1.0), (1, 0.5)],
        "val/loss": [(1, 0.7)],
        "train/error": [(0, 1.0), (1, 1e-6)],
        "val/share": [(0, 0.0), (1, 1.0)],
    }
    axes = {axis.get_title(): axis for axis in draw_curves(table).axes if axis.get_visible()}
    assert set(axes) == {"loss", "error", "share"}
    assert len(axes["loss"].lines) == 2
    assert [axes[name].get_yscale() for name in ("loss", "error", "share")] == ["linear", "log", "linear"]


@pytest.mark.parametrize(("rows", "texts"), [(2, 6), (13, 0)])
def test_small_matrices_show_their_values(rows, texts):
    figure = draw_matrix(np.arange(rows * 3).reshape(rows, 3), [str(i) for i in range(rows)], ["a", "b", "c"], "%")
    assert len(figure.axes[0].texts) == texts


def test_the_page_stands_alone_and_escapes():
    tags = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attributes):
            tags.append((tag, dict(attributes)))

    scores = [Score("a<b", 1.0, math.nan, math.nan, 3, "%", "lower"), Score("c", 0.5, 0.25, 0.75, 3, "", "")]
    page = report_html(
        "<script>",
        "python -m x 'a=<b>'",
        scores,
        {"one": b"1", "two": b"2"},
        {"one": "first & one", "two": "second"},
        {"torch": "2"},
    )
    Parser().feed(page)
    assert "<script>" not in page and "&lt;script&gt;" in page and "a=&lt;b&gt;" in page
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert [image["alt"] for image in images] == ["first & one", "second"]
    assert all(image["src"].startswith("data:image/png;base64,") for image in images)
    assert not any(
        name in attributes and not attributes[name].startswith("data:")
        for _, attributes in tags
        for name in ("src", "href")
    )
    assert "0.25 to 0.75" in page and "nan" not in page
