"""Scores of folders, gathered by row: what is read, what is left out, and what is kept."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
import pytest

from latent_lab.console import printed
from latent_lab.evaluation.gather import (
    choose_rules,
    gather,
    reached,
    read_scored,
    read_scores,
    sample_of,
    show,
    write_scores,
)
from latent_lab.evaluation.rows import table_of
from latent_lab.runs import Run
from tests.evaluation.scored_folders import LINEAR, RANDOM, SEFA, entry, read_folders, write_row, write_run

NAME = "selectivity/0.5"
METHODS = "latent_lab.methods"


@pytest.fixture(autouse=True)
def console():
    """What is left out is printed, as a command prints it."""
    with printed():
        yield


def test_a_row_is_its_seeds_with_their_draws_and_the_mean_of_paired_resamples(tmp_path):
    for seed in (0, 1):
        noise = {draw: {NAME: np.array([0.1, 0.2, 0.6]) * (1 + seed + draw)} for draw in (7, 8)}
        draws = {draw: {NAME: entry(NAME, 0.3 + seed + draw, 0.1, 0.97 - seed / 100)} for draw in (7, 8)}
        write_run(tmp_path, "linear", seed, draws, noise)
    scores = gather(read_folders(tmp_path))
    row = scores["rows"]["linear"]
    assert scores["columns"] == {NAME: {"unit": "share", "better": "higher"}}
    assert row["runs"] == {"0": [7, 8], "1": [7, 8]} and row["method"] == LINEAR and row["seeded"] is True
    assert row["scores"][NAME]["values"]["1"]["8"] == pytest.approx([9.3, 9.2, 9.4, 0.96])
    assert row["scores"][NAME]["resamples"]["7"] == pytest.approx([-1.7, -0.85, 2.55], rel=1e-3)
    sample = sample_of(row, NAME)
    assert sample.values == {0: {7: 7.3, 8: 8.3}, 1: {7: 8.3, 8: 9.3}} and reached(row, NAME) == 0.96
    assert sample.spreads == pytest.approx({7: 0.2 / 3.92, 8: 0.2 / 3.92})


@pytest.mark.parametrize(
    "method, marks",
    [
        ((LINEAR,), (True, False, False)),
        ((RANDOM,), (True, False, True)),
        ((SEFA,), (False, False, False)),
        ((f"{METHODS}.interfacegan.Hyperplane",), (True, True, False)),
        ((f"{METHODS}.walk.Walk", f"{METHODS}.enjoy_your_editing.EditingTarget"), (True, True, False)),
        (("latent_lab.methods.mine.Mine",), (True, False, False)),
        (("os.system",), (True, False, False)),
        ((), (True, False, False)),
    ],
)
def test_a_rows_marks_are_those_of_its_methods_class(tmp_path, method, marks):
    (one,) = read_folders(write_row(tmp_path, "row", {NAME: 0.3}, seeds=1)[0].parent)
    row = gather([dataclasses.replace(one, method=method)])["rows"]["row"]
    assert row["method"] == "".join(method[:1]) and (row["seeded"], row["supervised"], row["reference"]) == marks


def test_resamples_that_one_seed_lacks_leave_the_intervals_ends(tmp_path):
    draws = {0: {NAME: entry(NAME, 1.0, 0.392)}}
    write_run(tmp_path, "linear", 0, draws, {0: {NAME: np.arange(4.0)}})
    write_run(tmp_path, "linear", 1, draws)
    sample = sample_of(gather(read_folders(tmp_path))["rows"]["linear"], NAME)
    assert not sample.resamples and sample.spreads == pytest.approx({0: 0.2})


def test_the_rules_of_most_runs_are_compared_and_the_others_told_how(tmp_path, capsys):
    write_row(tmp_path, "many", {NAME: 0.3}, seeds=3, draws=2, rules="aaaaaaaaaaaa")
    write_row(tmp_path, "few", {NAME: 0.9}, seeds=2, draws=1, rules="bbbbbbbbbbbb")
    chosen = choose_rules(read_folders(tmp_path))
    assert {one.label for one in chosen} == {"many"}
    said = capsys.readouterr().out
    for draw in (0, 1):
        folder = tmp_path / "few-1"
        assert f"python -m latent_lab.evaluate run='{folder}' evaluation=study evaluation.seed={draw}" in said
    assert said.count("was scored by other rules and is left out") == 2


def test_the_newest_rules_are_compared_on_a_tie(tmp_path):
    for age, rules in ((5, "aaaaaaaaaaaa"), (1, "bbbbbbbbbbbb")):
        (run,) = write_row(tmp_path, rules[0], {NAME: 0.3}, seeds=1, rules=rules)
        os.utime(run / "metrics.json", (1e9 - age, 1e9 - age))
    assert [one.label for one in choose_rules(read_folders(tmp_path))] == ["b"]


def older(folder, label, seed):
    run = write_run(folder, label, seed, {})
    scores = {NAME: {key: value for key, value in entry(NAME, 0.5, 0.1).items() if key != "reached"}}
    (run / "metrics.json").write_text(json.dumps({"study": {"protocol": {"seed": 3}, "scores": scores}}))


def test_scores_of_older_versions_never_stand_beside_todays(tmp_path, capsys):
    for seed in range(3):
        older(tmp_path, "old", seed)
    alone = read_folders(tmp_path)
    assert choose_rules(alone) == alone and list(alone[0].draws) == [3]
    table = table_of(gather(alone))
    assert not table.cells[0][0].best and table.rows[0].size == "3 x 1"
    write_row(tmp_path, "new", {NAME: 0.3}, seeds=1)
    assert {one.label for one in choose_rules(read_folders(tmp_path))} == {"new"}
    assert "old-0 was scored by other rules" in capsys.readouterr().out


def test_two_runs_of_one_label_and_seed_are_not_two_seeds(tmp_path, capsys):
    write_row(tmp_path / "one", "linear", {NAME: 0.3}, seeds=2)
    write_row(tmp_path / "two", "linear", {NAME: 0.9}, seeds=1)
    scores = gather([*read_folders(tmp_path / "one"), *read_folders(tmp_path / "two")])
    assert list(scores["rows"]["linear"]["runs"]) == ["0", "1"]
    assert "give one of them another label=" in capsys.readouterr().out


def test_kept_scores_are_small_and_make_the_same_table(tmp_path):
    write_row(tmp_path / "runs", "linear", {NAME: 0.3, "length": 2.0})
    write_row(tmp_path / "runs", 'odd "name"', {NAME: 0.6})
    scores = show(gather(read_folders(tmp_path / "runs")), ["sel*"])
    file = tmp_path / "shapes.scores.json"
    file.write_text(write_scores(scores))
    found = read_scores(file)
    assert found == scores and list(found["columns"]) == [NAME]
    assert table_of(found) == table_of(scores)
    assert file.stat().st_size < 2 * 3 * 200 * 10 + 3000
    assert len(found["rows"]["linear"]["scores"][NAME]["resamples"]["0"]) == 200


@pytest.mark.parametrize(
    "change",
    [
        {"rows": {"a": 1}},
        {"columns": []},
        {"rows": {"a": {"method": "", "seeded": True, "supervised": False, "reference": False, "runs": {}}}},
    ],
)
def test_a_file_of_another_form_is_one_line(tmp_path, change):
    write_row(tmp_path / "runs", "linear", {NAME: 0.3})
    scores = gather(read_folders(tmp_path / "runs"))
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({**scores, **change}))
    with pytest.raises(ValueError, match="must hold scores as a comparison writes them"):
        read_scores(file)
    for place, key in (("runs", "x"), ("scores", NAME)):
        row = json.loads(json.dumps(scores["rows"]["linear"]))
        row[place][key] = [0] if place == "runs" else {"values": {"0": {"0": [1.0]}}, "resamples": {}}
        file.write_text(json.dumps({**scores, "rows": {"linear": row}}))
        with pytest.raises(ValueError, match="must hold scores as a comparison writes them"):
            read_scores(file)
    file.write_text(json.dumps({**scores, "gan": "../mine"}))
    with pytest.raises(ValueError, match="must be a plain name"):
        read_scores(file)


def test_a_stranger_names_no_files_and_nan_is_no_score(tmp_path):
    run = write_run(tmp_path, "linear", 0, {0: {NAME: entry(NAME, None)}})
    assert gather(read_folders(tmp_path))["rows"]["linear"]["scores"][NAME]["values"] == {
        "0": {"0": [None, None, None, 1.0]}
    }
    text = (run / "metrics.json").read_text()
    (run / "metrics.json").write_text(text.replace('"draws": {"0"', '"draws": {"../0"'))
    with pytest.raises(ValueError, match="must hold scores as an evaluation writes them under 'study'"):
        read_scored([Run.open(run)], "study")
