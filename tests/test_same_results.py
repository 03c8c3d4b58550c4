"""The script that compares two versions: what it finds the same, and that its plan knows every method and inverter."""

from __future__ import annotations

import importlib
import json
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from latent_lab.installation import CONF

FOLDER = CONF.parent / "experiments" / "same_results"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the experiments are not in an installed package")


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield importlib.import_module("compare")
    for name in {"compare", "plan", "server"} - before:
        sys.modules.pop(name, None)


@pytest.fixture
def recorded(script, tmp_path):
    """``recorded(name, matrix, scores)`` writes what ``record`` writes of a command with these results."""

    def write(name: str, matrix: np.ndarray, **scores: float):
        folder = tmp_path / name / "linear"
        folder.mkdir(parents=True)
        save_file({"matrix": matrix}, folder / "paths.safetensors")
        (folder / "metrics.json").write_text(json.dumps({"fast": scores}))
        found = {key: script.digest(value) for key, value in script.results(folder).items()}
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({"folder": str(tmp_path / name), "runs": {"linear": {"results": found}}}))
        return file

    return write


def test_same_bits_are_the_same_and_times_are_left_out(script, recorded, capsys):
    matrix = np.array([1.0, np.nan], np.float32)
    one = recorded("one", matrix, error=float("nan"), seconds=1.0)
    other = recorded("other", matrix, error=float("nan"), seconds=2.0)
    assert script.compare(one, other, 0.0, script.KINDS)
    assert capsys.readouterr().out.splitlines()[1].split() == ["linear", "2", "0", "0", "0"]


def test_a_difference_is_relative_to_the_greatest_entry(script, recorded, capsys):
    one = recorded("one", np.array([0.0, 4.0]), error=1.0)
    other = recorded("other", np.array([1e-6, 4.0]), error=1.0)
    assert not script.compare(one, other, 0.0, script.KINDS) and not script.compare(one, other, 2e-7, script.KINDS)
    assert script.compare(one, other, 3e-7, script.KINDS) and script.compare(one, other, 0.0, ["number"])
    assert "2.5e-07 tensor paths.safetensors:matrix" in capsys.readouterr().out
    (other.with_suffix("") / "linear" / "paths.safetensors").unlink()
    assert not script.compare(one, other, 1.0, script.KINDS)


def test_what_is_missing_has_failed_or_another_shape_is_not_the_same(script, recorded):
    one = recorded("one", np.zeros(2), error=1.0)
    assert not script.compare(one, recorded("fewer", np.zeros(2)), 1.0, script.KINDS)
    assert not script.compare(one, recorded("shape", np.zeros(3), error=1.0), 1e9, script.KINDS)
    assert script.compare(one, recorded("more", np.zeros(2), error=1.0, other=2.0), 0.0, script.KINDS)
    failed = json.loads(one.read_text())
    failed["runs"]["linear"]["failed"] = "latent_lab: no"
    one.with_name("failed.json").write_text(json.dumps(failed))
    assert not script.compare(one, one.with_name("failed.json"), 1.0, script.KINDS)


def test_the_plan_has_every_method_and_inverter(script):
    plan = importlib.import_module("plan").planned(CONF)
    names = [name for name, _, _ in plan]
    assert len(set(names)) == len(names)
    assert {file.stem for file in (CONF / "method").glob("*.yaml")} <= set(names)
    assert {f"invert-{file.stem}" for file in (CONF / "inverter").glob("*.yaml")} <= set(names)
