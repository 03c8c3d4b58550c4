"""Rows of images: strips over the amount of an edit, and sequences of edits."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor

from latent_lab.figures.labels import make_label

GAP = 2  # pixels between images
LETTER, LINE = 0.078, 0.16  # of text, inches wide and high
TITLE, COLUMN, LINES = 60, 24, 3  # letters of a row's title and of a narrow column's, and lines of both


class Strip(NamedTuple):
    """A titled row of images :math:`(S, C, H, W)` in [-1, 1]."""

    title: str
    images: Tensor


def tile_images(rows: Sequence[Tensor]) -> np.ndarray:
    """Return all rows in one array :math:`(H', W', 3)` in [0, 1].

    Values are clamped, never stretched: a stretch would hide edits of brightness.
    """
    height, width = rows[0].shape[-2:]
    canvas = np.ones((len(rows) * (height + GAP) - GAP, len(rows[0]) * (width + GAP) - GAP, 3), np.float32)
    for i, images in enumerate(rows):
        pixels = ((images.detach().float().cpu() + 1) / 2).clamp(0, 1).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
        for j, image in enumerate(pixels):
            canvas[i * (height + GAP) :, j * (width + GAP) :][:height, :width] = image
    return canvas


def make_picture(rows: Sequence[Tensor]) -> Image.Image:
    """Return the images tiled as by :func:`tile_images`, in 8 bits."""
    return Image.fromarray((255 * tile_images(rows)).round().astype(np.uint8))


def encode_png(rows: Sequence[Tensor]) -> bytes:
    """Return the images tiled as by :func:`tile_images`, as a PNG file."""
    stream = io.BytesIO()
    make_picture(rows).save(stream, "PNG")
    return stream.getvalue()


def draw_rows(
    rows: Sequence[Strip], labels: Sequence[str], axis_title: str, framed: int | None, inches: float = 0.72
) -> Figure:
    """Draw rows of images, with a label under each column and a title to the left of each row.

    Arguments:
        rows: The rows.
        labels: Label of each column.
        axis_title: Title under the labels.
        framed: The column that gets a frame; None for none.
        inches: Height of a row.

    Raises:
        ValueError: A row does not have one image for each label.
    """
    for row in rows:
        if len(row.images) != len(labels):
            raise ValueError(
                f"rows must hold {len(labels)} images each, one a label, got {len(row.images)} in {row.title!r}"
            )
    canvas = tile_images([row.images for row in rows])
    height, width = rows[0].images.shape[-2:]
    scale = inches / height  # inches a pixel
    titles = [make_label(row.title, TITLE, LINES) for row in rows]
    labels = [make_label(label, max(COLUMN, int(width * scale / LETTER)), LINES) for label in labels]
    longest = max(len(line) for title in titles for line in title.split("\n"))
    left, bottom = (
        0.15 + LETTER * longest,
        0.12 + LINE * max(label.count("\n") + 1 for label in [*labels, ""]) + bool(axis_title) * 0.22,
    )
    figure = Figure(figsize=(left + canvas.shape[1] * scale + 0.15, bottom + canvas.shape[0] * scale + 0.1))
    left, bottom = left / figure.get_figwidth(), bottom / figure.get_figheight()
    axes = figure.add_axes(
        (
            left,
            bottom,
            canvas.shape[1] * scale / figure.get_figwidth(),
            canvas.shape[0] * scale / figure.get_figheight(),
        )
    )
    axes.imshow(canvas, interpolation="nearest", aspect="auto", extent=(0, canvas.shape[1], canvas.shape[0], 0))
    axes.set_xticks([j * (width + GAP) + width / 2 for j in range(len(labels))], labels, fontsize=9)
    axes.set_yticks([i * (height + GAP) + height / 2 for i in range(len(rows))], titles, fontsize=9)
    axes.set_xlabel(make_label(axis_title), fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if framed is not None:
        corner = (framed * (width + GAP) - GAP / 2, -GAP / 2)
        axes.add_patch(
            Rectangle(
                corner,
                width + GAP,
                canvas.shape[0] + GAP,
                fill=False,
                edgecolor="tab:orange",
                linewidth=2,
                clip_on=False,
            )
        )
    return figure


def draw_strips(
    rows: Sequence[Strip], amounts: Sequence[float], axis_title: str = "eps", inches: float = 0.72
) -> Figure:
    """Draw a strip for each row, over the amounts of its edit. The original, at amount 0, is framed."""
    labels = [f"{amount:+.2g}" if amount else "original" for amount in amounts]
    return draw_rows(rows, labels, axis_title, labels.index("original") if "original" in labels else None, inches)


def draw_sequences(rows: Sequence[Strip], labels: Sequence[str], inches: float = 0.72) -> Figure:
    """Draw sequential edits as the papers do: a labelled column for each stage, the original framed."""
    return draw_rows(rows, labels, "", 0, inches)
