"""Tables of gathered scores: who is compared, who is bold, and differences to a row."""

from __future__ import annotations

import math

import pytest

from latent_lab.evaluation.gather import gather
from latent_lab.evaluation.rows import subtract_row, table_of
from tests.evaluation.scored_folders import entry, read_folders, write_row, write_run

NAME, EFFECTS = "selectivity/0.5", "side_effects/+0.5/mean"
ROW = {"method": "", "seeded": True, "supervised": False, "reference": False}


def gathered(folder) -> dict:
    return gather(read_folders(folder))


def marked(scores: dict, label: str, **marks) -> dict:
    """The scores, with other marks of a row."""
    return {**scores, "rows": {**scores["rows"], label: {**scores["rows"][label], **marks}}}


def bold(scores: dict) -> set[tuple[str, str]]:
    table = table_of(scores)
    return {
        (row.name, column[0])
        for row, cells in zip(table.rows, table.cells)
        for column, cell in zip(table.columns, cells)
        if cell.best
    }


@pytest.fixture
def three(tmp_path):
    """Three rows that differ by less than what the latents shift all of them."""
    for label, share in (("a", 0.3), ("b", 0.4), ("c", 0.5)):
        write_row(tmp_path, label, {NAME: share, EFFECTS: 60 - share, "length": share})
    return gathered(tmp_path)


def test_the_best_row_is_bold_on_the_side_that_is_better(three):
    table = table_of(three)
    assert bold(three) == {("c", NAME), ("c", EFFECTS)}  # a length is neither better nor worse
    assert [row.size for row in table.rows] == ["5 x 3"] * 3 and table.rows[0].title() == "a"
    cell = table.cells[0][0]
    assert cell.half > 0.1  # no interval alone tells 0.3 from 0.5: paired latents do
    assert table.cells[2][0].mean - table.cells[0][0].mean == pytest.approx(0.2, abs=0.02)


def test_a_row_of_one_run_is_shown_and_takes_no_part(three, tmp_path):
    write_row(tmp_path, "one", {NAME: 0.9, EFFECTS: 1.0}, seeds=1)
    scores = gathered(tmp_path)
    table = table_of(scores)
    assert bold(scores) == bold(three) and table.rows[-1].title() == "one †"
    assert any(note.startswith("† one run") for note in table.notes)
    assert table.cells[-1][0].half > 0  # over latents
    without_seeds = marked(scores, "one", seeded=False)
    assert bold(without_seeds) == {("one", NAME), ("one", EFFECTS)}
    assert table_of(without_seeds).rows[-1].marks == ""


def test_only_references_that_know_the_attributes_are_no_rivals(three, tmp_path):
    write_row(tmp_path, "reference", {NAME: 0.9, EFFECTS: 1.0})
    scores = gathered(tmp_path)
    assert bold(marked(scores, "reference", reference=True, supervised=True)) == bold(three)
    assert bold(marked(scores, "reference", reference=True)) == {("reference", NAME), ("reference", EFFECTS)}
    table = table_of(marked(scores, "reference", reference=True, supervised=True))
    assert table.rows[-1].title() == "reference (reference) *"
    assert "* trained on a predictor of the attributes." in table.notes


@pytest.mark.parametrize("share, is_bold", [(0.96, True), (0.94, False)])
def test_what_few_latents_reach_is_never_bold(three, tmp_path, share, is_bold):
    write_row(tmp_path, "d", {NAME: 0.9}, reached=share)
    scores = gathered(tmp_path)
    assert (("d", NAME) in bold(scores)) == is_bold
    table = table_of(scores)
    assert (table.cells[-1][0].mark == "‡") != is_bold
    assert any(note.startswith("‡ less than 95%") for note in table.notes) != is_bold


def test_a_run_without_the_score_counts_as_not_reached(three, tmp_path):
    write_row(tmp_path, "d", {NAME: 0.9})
    write_run(tmp_path, "d", 5, {0: {EFFECTS: entry(EFFECTS, 1.0, 0.1)}})
    scores = gathered(tmp_path)
    assert ("d", NAME) not in bold(scores)
    assert table_of(scores).rows[-1].size == "6 x 1 to 3"


def test_many_rivals_need_more_than_one_comparison_does(tmp_path):
    """The same two rows, told apart alone, are not told apart beside ten others of their kind."""
    write_row(tmp_path, "a", {NAME: 0.3}, seeds=3, spread=0.06)
    write_row(tmp_path, "z", {NAME: 0.49}, seeds=3, spread=0.06)
    few = gathered(tmp_path)
    p = subtract_row(few, "a").cells[0][0].p
    assert 0.005 < p < 0.05 and bold(few) == {("z", NAME)}
    twins = {f"a{i}": few["rows"]["a"] for i in range(10)}
    many = {**few, "rows": {**few["rows"], **twins}}
    assert not bold(many)
    table = subtract_row(many, "z")
    assert all(cells[0].p == pytest.approx(min(1.0, 11 * p)) for cells in table.cells)


def test_scores_without_intervals_over_latents_are_marked_and_not_compared(tmp_path):
    for label, share in (("a", 0.3), ("b", 0.9)):
        for seed in range(3):
            write_run(tmp_path, label, seed, {0: {NAME: entry(NAME, share + seed / 1000)}})
    table = table_of(gathered(tmp_path))
    assert [cells[0].mark for cells in table.cells] == ["§", "§"] and not bold(gathered(tmp_path))
    assert table.cells[0][0].half == pytest.approx(0.00248, rel=1e-2)


def test_differences_are_to_the_chosen_row(three):
    table = subtract_row(three, "a")
    assert [row.name for row in table.rows] == ["b", "c"]
    gap = table.cells[1][0]
    assert gap.mean == pytest.approx(0.2, abs=0.02) and gap.half < 0.03 and gap.best and gap.p < 0.001
    assert gap.format().endswith(", p < 0.001") and table.notes[0].startswith("Difference to a, paired over latents")


def test_differences_need_seeds_and_a_known_row(three, tmp_path):
    write_row(tmp_path, "one", {NAME: 0.9}, seeds=1)
    scores = gathered(tmp_path)
    assert math.isnan(subtract_row(scores, "a").cells[-1][0].mean)
    with pytest.raises(ValueError, match=r"against must be one of the rows \['a', 'b', 'c', 'one'\], got 'd'"):
        subtract_row(scores, "d")
    with pytest.raises(ValueError, match="against must be a row of at least two runs, got 'one', which has one"):
        subtract_row(scores, "one")
