"""Comparisons of folders, as files and a page."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from latent_lab.evaluation.compare import bands_of, rebuild, write_comparison
from latent_lab.evaluation.gather import read_scores
from tests.evaluation.scored_folders import RANDOM, read_folders, write_row

NAME, EFFECTS = "selectivity/0.5", "side_effects/+0.5/mean"
FILES = {"shapes.md", "shapes.csv", "shapes.tex", "shapes.scores.json", "shapes.differences.md", "compare.html"}


@pytest.fixture
def runs(tmp_path):
    write_row(tmp_path / "runs", "linear", {NAME: 0.4, EFFECTS: 50.0, "length": 2.0})
    (run, *_) = write_row(tmp_path / "runs", "random", {NAME: 0.2, EFFECTS: 90.0}, method=RANDOM)
    (run / "pictures").mkdir()
    (run / "pictures" / "strips.png").write_bytes(b"png")
    return read_folders(tmp_path / "runs")


def test_a_comparison_is_tables_the_scores_behind_them_and_a_page(runs, tmp_path):
    made = tmp_path / "made"
    tables = write_comparison(runs, ["sel*", "side*"], made, "two <methods>", "random")
    assert [[name for name, _, _ in table.columns] for table in tables] == [[NAME, EFFECTS]] * 2
    assert {file.name for file in made.iterdir()} == FILES
    lines = list(csv.DictReader(io.StringIO((made / "shapes.csv").read_text())))
    assert {line["score"] for line in lines} == {NAME, EFFECTS, "length"}
    found = {one.label: [[d["scores"][NAME]["mean"] for d in one.draws.values()] for one in runs] for one in runs}
    means = [
        np.mean([[d["scores"][NAME]["mean"] for d in one.draws.values()] for one in runs if one.label == label])
        for label in found
    ]
    assert [float(line["mean"]) for line in lines if line["score"] == NAME] == pytest.approx(means)
    assert "| linear | 5 x 3 | **" in (made / "shapes.md").read_text()
    page = (made / "compare.html").read_text()
    assert "two &lt;methods&gt;" in page and page.count("data:image/png;base64,") == 2  # curves, and the strips


def test_kept_scores_write_the_same_tables_again(runs, tmp_path):
    write_comparison(runs, ["*"], tmp_path / "first", "", "random")
    rebuild(read_scores(tmp_path / "first" / "shapes.scores.json"), tmp_path / "second", "", "random")
    for name in FILES - {"compare.html"}:
        assert (tmp_path / "first" / name).read_text() == (tmp_path / "second" / name).read_text()


def test_generators_are_compared_apart(runs, tmp_path):
    write_row(tmp_path / "others", "linear", {NAME: 0.9}, rules="bbbbbbbbbbbb", gan="sngan_mnist")
    tables = write_comparison([*runs, *read_folders(tmp_path / "others")], ["*"], tmp_path / "made", "")
    assert [len(table.rows) for table in tables] == [2, 1]


def test_bands_are_over_runs_of_means_over_paths_and_draws(runs):
    (half, one) = bands_of({"linear": [one for one in runs if one.label == "linear"]}, "identity")["linear"]
    assert half == (0.5, pytest.approx(0.2), pytest.approx(0)) and one == (1.0, pytest.approx(0.3), pytest.approx(0))
