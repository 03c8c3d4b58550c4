"""Lines, bands and matrices show the numbers that they are given."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from latent_lab.figures.curves import draw_bands, draw_lines, draw_matrix
from latent_lab.figures.page import png_bytes

NAN = math.nan


def legend_of(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_lines_hold_their_points_and_the_axes_their_titles():
    lines = {"one": [(0.0, 1.0), (2.0, 3.0)], "two": [(0.0, 0.5), (1.0, -0.5), (2.0, 0.0)]}
    figure = draw_lines(lines, "length [latent units]", "error [%]")
    (axes,) = figure.axes
    assert [list(zip(*line.get_data())) for line in axes.lines] == list(lines.values())
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("length [latent units]", "error [%]")
    assert legend_of(figure) == ["one", "two"]


def test_no_line_makes_no_band_figure():
    assert draw_bands({}, "x", "y") is None


def test_bands_lie_half_above_and_half_below_their_line():
    figure = draw_bands(
        {"one": [(0.0, 1.0, 0.25), (1.0, 2.0, 0.5)], "two": [(0.0, 3.0, 0.0), (1.0, 3.0, 1.0)]}, "x", "y"
    )
    (axes,) = figure.axes
    assert [line.get_ydata().tolist() for line in axes.lines] == [[1, 2], [3, 3]]
    assert [line.get_xdata().tolist() for line in axes.lines] == [[0, 1], [0, 1]]
    corners = [{tuple(corner) for corner in band.get_paths()[0].vertices.tolist()} for band in axes.collections]
    assert corners[0] == {(0, 0.75), (0, 1.25), (1, 1.5), (1, 2.5)}
    assert corners[1] == {(0, 3.0), (1, 2.0), (1, 4.0)}
    for line, band in zip(axes.lines, axes.collections):
        assert tuple(band.get_facecolor()[0, :3]) == pytest.approx(to_rgb(line.get_color()))
    assert (axes.get_xlabel(), axes.get_ylabel(), legend_of(figure)) == ("x", "y", ["one", "two"])


def test_a_line_without_intervals_has_no_band_and_is_drawn():
    figure = draw_bands({"one": [(0.0, 1.0, NAN), (1.0, 2.0, NAN)]}, "x", "y")
    (axes,) = figure.axes
    assert [line.get_ydata().tolist() for line in axes.lines] == [[1, 2]]
    assert sum(len(path.vertices) for band in axes.collections for path in band.get_paths()) == 0
    assert png_bytes(figure, 40)[:4] == b"\x89PNG"


def test_cells_without_a_value_say_so_and_leave_the_scale_alone():
    figure = draw_matrix(np.array([[1.0, NAN], [3.0, 2.0]]), ["a", "b"], ["c", "d"], "%", "target", "changed")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["1", "not reached", "3", "2"]
    assert axes.images[0].get_clim() == (1, 3)
    assert [text.get_color() for text in axes.texts] == ["white", "black", "black", "white"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("target", "changed")
    assert png_bytes(figure, 40)[:4] == b"\x89PNG"


def test_a_matrix_without_any_value_is_drawn():
    figure = draw_matrix(np.full((2, 2), NAN), ["a", "b"], ["c", "d"], "%")
    assert [text.get_text() for text in figure.axes[0].texts] == ["not reached"] * 4
    assert png_bytes(figure, 40)[:4] == b"\x89PNG"


@pytest.mark.parametrize("size, step", [(3, 1), (32, 1), (33, 2), (64, 2), (65, 3), (128, 4)])
def test_names_that_would_overlap_are_left_out_and_the_others_stand_at_their_rows(size, step):
    names = [str(i) for i in range(size)]
    axes = draw_matrix(np.arange(size * size).reshape(size, size), names, names, "").axes[0]
    for axis in (axes.xaxis, axes.yaxis):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        assert labels == names[::step] and len(labels) <= 32
        assert [str(int(place)) for place in axis.get_ticklocs()] == labels


def test_the_values_are_drawn_a_row_a_name():
    values = np.arange(6.0).reshape(2, 3)
    axes = draw_matrix(values, ["a", "b"], ["c", "d", "e"], "").axes[0]
    assert np.array_equal(axes.images[0].get_array(), values)
    places = {text.get_text(): text.get_position() for text in axes.texts}
    assert places == {f"{values[i, j]:g}": (j, i) for i in range(2) for j in range(3)}


@pytest.mark.parametrize("names, rotation", [(["short", "name"], 0), (["a long name", "b"], 90)])
def test_long_names_stand_upright(names, rotation):
    axes = draw_matrix(np.zeros((2, 2)), ["a", "b"], names, "").axes[0]
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {rotation}
