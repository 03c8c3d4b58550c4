"""Training curves and matrices of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from latent_lab.figures.labels import add_legend, make_label

NAME, TICK = 40, 24  # letters of a name in a legend or above a panel, and beside a row
PANELS = 200  # of a figure; a larger one no viewer opens
Curves = Mapping[str, Sequence[tuple[float, float]]]


def draw_curves(table: Curves, columns: int = 4) -> Figure:
    """Draw curves over the step as small panels.

    ``train/x`` and ``val/x`` share a panel. A panel of positive values over three decades is logarithmic.

    Arguments:
        table: Points (step, value) of each metric.
        columns: Panels a row.
    """
    panels: dict[str, dict[str, Sequence[tuple[float, float]]]] = {}
    for name, points in table.items():
        stage, _, metric = name.rpartition("/") if "/" not in name else name.partition("/")
        panels.setdefault(metric, {})[stage] = points
    shown = sorted(panels.items())[:PANELS]
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(3.1 * columns, 2.0 * rows))
    axes = figure.subplots(rows, columns, squeeze=False)
    # by hand: a layout engine takes seconds
    figure.subplots_adjust(0.5 / 12, 0.45 / (2 * rows), 0.99, 1 - 0.25 / (2 * rows), 0.25, 0.45)
    for axis, (metric, stages) in zip(axes.flat, shown):
        for stage, points in sorted(stages.items()):
            steps, values = np.array(points, dtype=float).T
            axis.plot(
                steps,
                values,
                color="tab:blue" if stage == "train" else "tab:orange",
                marker="o" if len(points) < 12 else None,
                markersize=3,
            )
        drawn = np.array([value for points in stages.values() for _, value in points], dtype=float)
        if (drawn > 0).all() and drawn.max() > 1e3 * drawn.min():
            axis.set_yscale("log")
            axis.minorticks_off()
        else:
            axis.locator_params(axis="y", nbins=4)
        axis.locator_params(axis="x", nbins=3)  # ticks are what a picture of many panels spends its time on
        axis.set_title(make_label(metric.replace("_", " "), NAME), fontsize=9)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
        if any(stages):
            add_legend(axis, axis.lines, sorted(stages), TICK, fontsize=7, frameon=False, loc="upper right")
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    figure.supxlabel(
        "step" + f", {len(panels) - len(shown)} more metrics are not shown" * (len(panels) > len(shown)), fontsize=9
    )
    return figure


def draw_lines(lines: Curves, x_title: str, y_title: str) -> Figure:
    """Draw lines with a legend beside them.

    Arguments:
        lines: Points (x, y) of each line.
        x_title: Quantity and unit of the x axis.
        y_title: Quantity and unit of the y axis.
    """
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for points in lines.values():
        axes.plot(*zip(*points), marker="o", markersize=3)
    axes.set_xlabel(make_label(x_title), fontsize=9)
    axes.set_ylabel(make_label(y_title), fontsize=9)
    axes.grid(alpha=0.3)
    add_legend(figure, axes.lines, list(lines), NAME, loc="outside right center", fontsize=8, frameon=False)
    return figure


def draw_bands(lines: Mapping[str, Sequence[tuple[float, float, float]]], x_title: str, y_title: str) -> Figure | None:
    """Draw lines with bands of plus and minus ``half`` (nan: no band); return None if there is no line.

    Arguments:
        lines: Points (x, mean, half) of each line.
        x_title: Quantity and unit of the x axis.
        y_title: Quantity and unit of the y axis.
    """
    if not lines:
        return None
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for points in lines.values():
        x, mean, half = np.array(points, dtype=float).T
        (line,) = axes.plot(x, mean, marker="o", markersize=3)
        axes.fill_between(x, mean - half, mean + half, alpha=0.2, color=line.get_color(), linewidth=0)
    axes.set_xlabel(make_label(x_title), fontsize=9)
    axes.set_ylabel(make_label(y_title), fontsize=9)
    axes.grid(alpha=0.3)
    add_legend(figure, axes.lines, list(lines), NAME, loc="outside right center", fontsize=8, frameon=False)
    return figure


def draw_matrix(
    matrix: np.ndarray,
    row_names: Sequence[str],
    column_names: Sequence[str],
    unit: str,
    row_title: str = "",
    column_title: str = "",
) -> Figure:
    """Draw a heat map. Its cells show their values if it has at most 12 rows.

    Arguments:
        matrix: Values, with shape :math:`(R, C)`.
        row_names: Label of each row.
        column_names: Label of each column.
        unit: Unit of the values, beside the colour bar.
        row_title: Title of the rows.
        column_title: Title of the columns.
    """
    values = np.asarray(matrix, dtype=float)
    some = slice(None, None, -(-max(values.shape) // 32))  # labels that would overlap are left out
    columns, rows = ([make_label(name, TICK) for name in names[some]] for names in (column_names, row_names))
    # inches beyond what the margins hold
    wide, high = (0.11 * max(0, max(map(len, names)) - 12) for names in (rows, columns))
    size = min(0.75 * len(column_names), 9) + 2.2 + wide, min(0.42 * len(row_names), 7) + 1.6 + high
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    known = values[np.isfinite(values)]
    image = axes.imshow(values, cmap="viridis", aspect="auto")
    axes.set_xticks(
        range(len(column_names))[some], columns, fontsize=8, rotation=90 if len(max(column_names, key=len)) > 6 else 0
    )
    axes.set_yticks(range(len(row_names))[some], rows, fontsize=8)
    axes.set_xlabel(make_label(column_title), fontsize=9)
    axes.set_ylabel(make_label(row_title), fontsize=9)
    figure.colorbar(image, ax=axes, label=make_label(unit))
    if len(row_names) <= 12:
        threshold = (known.min() + known.max()) / 2 if known.size else 0.0
        for (i, j), value in np.ndenumerate(values):
            axes.text(
                j,
                i,
                f"{value:.3g}" if np.isfinite(value) else "not reached",
                ha="center",
                va="center",
                fontsize=7,
                color="white" if value <= threshold else "black",
            )
    return figure
