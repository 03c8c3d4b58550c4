"""Strengths in standard deviations become amounts of paths."""

from __future__ import annotations

import json

import pytest

from latent_lab.naming import find_amount, find_path, resolve_edit
from latent_lab.paths.linear import LinearPaths
from latent_lab.runs import Run

ENTRY = {
    "path": 2,
    "amounts": [-2.0, -1.0, 0.0, 1.0, 2.0],
    "changes": [1.0, 0.8, 0.0, -1.0, -3.0],
    "reachable": [-3.0, 1.0],
}


@pytest.fixture
def run(tmp_path):
    (tmp_path / "names.json").write_text(json.dumps({"age": ENTRY, "smile": ENTRY | {"path": 0}}))
    (tmp_path / "findings.json").write_text(json.dumps({"names": ["pose", "smile", "other"]}))
    return Run(tmp_path)


@pytest.mark.parametrize(
    ("change", "amount"), [(0, 0.0), (0.4, -0.5), (0.9, -1.5), (-0.5, 0.5), (-2, 1.5), (1.0, -2.0)]
)
def test_amounts_lie_on_the_measured_curve(change, amount):
    found, warning = find_amount("age", ENTRY, change)
    assert found == pytest.approx(amount, abs=1e-6) and not warning


def test_beyond_the_curve_is_extrapolated_and_said():
    amount, warning = find_amount("age", ENTRY, 2.0)
    assert (
        amount == pytest.approx(-4.0)
        and "age by +2 standard deviations is outside the calibrated range, -3.00 to +1.00" in warning
    )
    one_sided = ENTRY | {"changes": [0.0, 0.0, 0.0, -1.0, -3.0], "reachable": [-3.0, 0.0]}
    assert find_amount("age", one_sided, 1.5)[0] == pytest.approx(-1.0)
    with pytest.raises(ValueError, match="the path of 'age' changes it nowhere"):
        find_amount("age", ENTRY | {"changes": [0.0] * 5, "reachable": [0.0, 0.0]}, 1.0)


def test_names_of_attributes_of_imported_directions_and_of_numbers(run):
    paths = LinearPaths(4, 3, "free")
    assert resolve_edit(run, paths, "age", -0.5)[1:5] == (2, -0.5, pytest.approx(0.5), True)
    assert resolve_edit(run, paths, "pose", 1.5)[1:5] == (0, 1.5, 1.5, False)
    # the imported direction, not the better path of the attribute
    assert resolve_edit(run, paths, "smile", 1.5)[1:5] == (1, 1.5, 1.5, False)
    assert resolve_edit(run, paths, "path2", 0.5)[1:5] == (2, 0.5, 0.5, False)
    with pytest.raises(
        ValueError, match=r"are called \['pose', 'smile', 'other', 'age'\] or path0 to path2, got 'path3'"
    ):
        find_path(run, paths, "path3")
