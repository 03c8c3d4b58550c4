"""The tutorials run from top to bottom, with budgets of seconds."""

import json

import matplotlib.pyplot as plt
import pytest

from latent_lab.installation import CONF

FOLDER = CONF.parent / "docs" / "tutorials"
BUDGETS = {
    "discover_and_compare": {"STEPS": 2, "LATENTS": 4},
    "edit_a_photograph": {"STEPS": 5, "SAMPLES": 400},
}


def cells(name: str, kind: str) -> list[str]:
    found = json.loads((FOLDER / f"{name}.ipynb").read_text())["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


def test_every_tutorial_has_a_budget():
    assert {file.stem for file in FOLDER.glob("*.ipynb")} == set(BUDGETS)


@pytest.mark.parametrize("name", BUDGETS)
def test_the_code_runs(name, monkeypatch, undrawn):
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr(plt, "switch_backend", plt.switch_backend)
    plt.switch_backend("agg")
    names: dict = {"__name__": name}
    constants, *rest = cells(name, "code")
    exec(constants, names)
    assert BUDGETS[name].keys() <= names.keys()
    names |= BUDGETS[name]  # the constants of the first cell are all that the test changes
    try:
        for source in rest:
            exec(compile(source, f"{name}.ipynb", "exec"), names)
    finally:
        plt.close("all")


@pytest.mark.parametrize("name", BUDGETS)
def test_notebooks_are_small_and_the_site_shows_them(name):
    file = FOLDER / f"{name}.ipynb"
    assert file.stat().st_size < 300_000
    for cell in json.loads(file.read_text())["cells"]:
        for output in cell.get("outputs", []):  # the kinds that docs/scripts/site.py writes; no errors, no warnings
            assert output.get("name") == "stdout" or set(output["data"]) == {"image/png"}
