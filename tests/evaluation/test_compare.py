"""Comparisons of runs from plain values, by hand."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from latent_lab.evaluation.compare import Scored, bands_of, interval, make_table, surely_better, write_comparison
from latent_lab.runs import Run


def scored(folder, label: str, seed: int, mean: float | None) -> Scored:
    about = {"low": None, "high": None, "unit": "%", "better": "lower"}
    scores = {"error": {"mean": mean} | about, "hits": {"mean": 1.0, "unit": "", "better": "", "low": 0.5, "high": 1.5}}
    curves = {"age": [[0.5, 0.1], [1.0, 0.3]], "hair": [[0.5, 0.3]]}
    return Scored(Run(folder), "shapes", label, seed, {"scores": scores, "identity_curves": curves})


@pytest.fixture
def rows(tmp_path):
    values = {"linear": [1.0, 2.0, 3.0], "curved": [0.1, 1.2, 2.1]}
    return {label: [scored(tmp_path, label, i, x) for i, x in enumerate(each)] for label, each in values.items()}


def test_an_interval_is_students():
    assert interval([1.0, 2.0, 3.0, math.nan]) == (2.0, pytest.approx(4.30265 / 3**0.5, rel=1e-5))
    mean, half = interval([1.0])
    assert mean == 1.0 and math.isnan(half) and all(map(math.isnan, interval([])))


def test_the_same_seeds_are_compared_in_pairs():
    ours, theirs = {0: 0.1, 1: 1.2, 2: 2.1}, {0: 1.0, 1: 2.0, 2: 3.0, 3: -100.0}
    assert surely_better(ours, theirs, "lower") and not surely_better(ours, theirs, "higher")
    assert surely_better(theirs, ours, "higher") and not surely_better({0: 0.1}, theirs, "lower")


def test_a_cell_is_best_where_it_is_surely_better_than_every_other_row(rows):
    table = make_table(rows, ["error", "hits"])
    assert table.rows == [("linear", 3), ("curved", 3)] and table.list_titles() == ["error ↓ [%]", "hits"]
    assert [[cell.best for cell in cells] for cells in table.cells] == [[False, False], [True, False]]
    one = make_table({"linear": rows["linear"][:1]}, ["error", "hits"]).cells[0]
    assert math.isnan(one[0].half) and one[1].half == 0.5  # of a single run, over its latents


def test_bands_are_over_runs_of_means_over_paths(rows):
    (half, one) = bands_of(rows, "identity")["linear"]
    assert half == (0.5, pytest.approx(0.2), pytest.approx(0)) and one == (1.0, pytest.approx(0.3), pytest.approx(0))


def test_a_comparison_is_three_tables_and_a_page(rows, tmp_path):
    runs = [one for each in rows.values() for one in each] + [scored(tmp_path, "none", 0, None)]
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "strips.png").write_bytes(b"png")
    tables = write_comparison(runs, ["err*", "*"], tmp_path / "made", "three <methods>")
    assert [name for name, _, _ in tables["shapes"].columns] == ["error", "hits"]
    assert {file.name for file in (tmp_path / "made").iterdir()} == {
        "shapes.md",
        "shapes.csv",
        "shapes.tex",
        "compare.html",
    }
    lines = list(csv.DictReader(io.StringIO((tmp_path / "made" / "shapes.csv").read_text())))
    assert [line["mean"] for line in lines if line["score"] == "error"] == ["2.0", json.dumps(3.4 / 3), "nan"]
    page = (tmp_path / "made" / "compare.html").read_text()
    assert "three &lt;methods&gt;" in page and page.count("data:image/png;base64,") == 4
