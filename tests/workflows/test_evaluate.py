"""The yardstick from a run's folder alone: what it adds, that it continues, and what it says when something is
wrong."""

import json
import shutil
import sys

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from latent_lab.checkpoints import native
from latent_lab.evaluation import evaluate as workflow
from latent_lab.evaluation.parts import keep_parts
from tests.workflows.conftest import CHEAP, DEBUG_SCORES


@pytest.fixture
def command(tmp_path, monkeypatch):
    """``command("evaluate", "run=...")`` runs a command on finished runs in ``tmp_path``."""
    from importlib import import_module

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)

    def run(name: str, *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", [f"latent_lab.{name}", *arguments])
        GlobalHydra.instance().clear()
        import_module(f"latent_lab.{name}").main()

    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two seeds of two methods on gan=shapes, fitted once."""
    from latent_lab import train

    folder = tmp_path_factory.mktemp("runs")
    arguments = sys.argv
    for method in ("linear", "random"):
        for seed in (0, 1):
            target = folder / f"{method}-{seed}"
            sys.argv = [
                "latent_lab.train",
                "debug=fast",
                "gan=shapes",
                "logger=csv",
                f"method={method}",
                f"seed={seed}",
                f"target={target}",
            ]
            GlobalHydra.instance().clear()
            train.main()
    sys.argv = arguments
    return folder


@pytest.fixture
def runs(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "runs")
    return tmp_path / "runs"


def scores(run, name: str) -> dict:
    return json.loads((run / "metrics.json").read_text())[name]["draws"]["0"]["scores"]


def test_it_needs_the_folder_alone_and_overwrites_nothing(command, runs):
    run = runs / "linear-0"
    before, kept = (run / "paths.safetensors").read_bytes(), scores(run, "fast")
    command("evaluate", f"run={run}", *DEBUG_SCORES, "evaluation.num_latents=10", "logger=[]")
    full = scores(run, "full")
    assert scores(run, "fast") == kept and (run / "paths.safetensors").read_bytes() == before
    assert full["commutativity/return/latents"]["num"] == 10
    for name in (
        "rca/held_out",
        "bracket",
        "recovery/purity",
        "selectivity/0.5",
        "side_effects/+0.5/mean",
        "identity/0.5",
        "round_trip/latents",
    ):
        assert name in full
    assert full["commutativity/swap/latents"]["mean"] < 1e-6
    assert full["bracket"]["mean"] == 0
    for level in ("latents", "images"):  # straight paths, so the score is at its floor
        floor, score = full[f"floor/commutativity/{level}"]["mean"], full[f"commutativity/swap/{level}"]["mean"]
        assert 0 < floor < 1e-3 and score < 10 * floor, level
    assert {file.name for file in (run / "evaluation").iterdir()} == {"fast-0.safetensors", "full-0.safetensors"}
    result = json.loads((run / "metrics.json").read_text())["full"]["draws"]["0"]
    percent, raw = (result["matrices"][f"commutativity/return/attributes{name}"] for name in ("", "_raw"))
    deviation = json.loads((run / "names.json").read_text())
    for row, one, other in zip(percent["rows"], percent["values"], raw["values"]):
        unit = float(deviation[row.split(" ", 1)[1]]["unit"].split(",")[0])
        for a, b in zip(one, other):
            assert (a is None and b is None) or b == pytest.approx(a / 100 * unit, rel=1e-4)
    notes = result["notes"]
    assert any("needs real images" in note for note in notes)


def test_an_interrupted_evaluation_continues_to_the_same_numbers(command, runs, monkeypatch):
    arguments = (
        *DEBUG_SCORES,
        *CHEAP,
        "evaluation.num_latents=12",
        "evaluation.batch_size=4",
        "logger=[]",
    )
    shutil.copytree(runs / "linear-1", runs / "copy")
    command("evaluate", f"run={runs}/linear-1", *arguments)
    reference = scores(runs / "linear-1", "full")

    seen: list[int] = []
    original = workflow.observe

    def interrupted(*everything):
        seen.append(everything[-2])
        if len(seen) == 4:
            raise OSError("the machine went away")
        return original(*everything)

    monkeypatch.setattr(workflow, "observe", interrupted)
    with pytest.raises(SystemExit, match="the machine went away"):
        command("evaluate", f"run={runs}/copy", *arguments)
    assert "full" not in json.loads((runs / "copy" / "metrics.json").read_text())
    assert len(list((runs / "copy" / "evaluation").rglob("full-*/*.safetensors"))) == 3
    command("evaluate", f"run={runs}/copy", *arguments)
    assert len(seen) == len(set(seen)) + 1  # only the latents that were lost are observed again
    continued = scores(runs / "copy", "full")
    assert continued.keys() == reference.keys()
    for name, score in reference.items():  # linear algebra may round otherwise where its input lies otherwise in memory
        assert continued[name]["mean"] == (
            None if score["mean"] is None else pytest.approx(score["mean"], rel=1e-9, abs=1e-12)
        ), name


def test_a_pattern_takes_every_run(command, runs, capsys):
    command("evaluate", f"run='{runs}/random-*'", *DEBUG_SCORES, *CHEAP, "logger=[]")
    assert all("full" in json.loads((runs / f"random-{seed}" / "metrics.json").read_text()) for seed in (0, 1))
    assert capsys.readouterr().out.count("latent_lab: report") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "run must be a run's folder, a list of folders or a pattern, got nothing"),
        (("run=nowhere",), "run must be a run's folder"),
        (
            ("run=runs/linear-0", "evaluation.attributes=[x,smile]"),
            r"attributes must be different names among \['x', 'y', 'hue'.*got \['x', 'smile'\]",
        ),
        (("run=runs/linear-0", "evaluation.targets=[x,x]"), "evaluation.targets must be different names"),
        (("run=runs/linear-0", "evaluation.targets=[smile]"), r"evaluation.targets must be among \['x', 'y', 'hue'"),
        (("run=runs/linear-0", "evaluation.changes=[0.5,0]"), "changes not 0"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(command, runs, arguments, message):
    with pytest.raises(SystemExit, match=message) as stop:
        command("evaluate", *arguments, "logger=[]")
    assert "\n" not in str(stop.value.code)


def test_another_generator_and_missing_paths_are_refused(command, runs):
    config = runs / "linear-0" / "config.yaml"
    config.write_text(config.read_text().replace("ratio: 1.3", "ratio: 1.5"))
    with pytest.raises(SystemExit, match="was made on a generator with hash"):
        command("evaluate", f"run={runs}/linear-0", "logger=[]")
    (runs / "linear-1" / "paths.safetensors").unlink()
    with pytest.raises(SystemExit, match="has no paths yet; continue it with run="):
        command("evaluate", f"run={runs}/linear-1", "logger=[]")


def test_the_comparison_says_what_the_runs_say(command, runs):
    command("compare", f"run='{runs}/*'", "protocol=fast", "target=table")
    table = (runs.parent / "table" / "shapes.md").read_text()
    assert "| linear | 2 x 1 |" in table and "| random" in table
    lines = (runs.parent / "table" / "shapes.csv").read_text().splitlines()
    name = "recovery/purity"
    (line,) = [line for line in lines if line.startswith(f"linear,2 x 1,{name},")]
    values = [scores(runs / f"linear-{seed}", "fast")[name]["mean"] for seed in (0, 1)]
    assert float(line.split(",")[5]) == pytest.approx(sum(values) / 2)
    page = (runs.parent / "table" / "compare.html").read_text()
    assert page.count("data:image/png;base64,") >= 4 and 'src="http' not in page
    with pytest.raises(SystemExit, match="target must be a new or empty folder"):
        command("compare", f"run='{runs}/*'", "protocol=fast", "target=table")
    command("compare", f"run={runs.parent}/table/shapes.scores.json", "against=random", "target=again")
    assert (runs.parent / "again" / "shapes.md").read_text() == table
    with pytest.raises(SystemExit, match="run must be folders of runs that have been evaluated with evaluation=study"):
        command("compare", f"run='{runs}/*'", "target=other")


def test_a_run_without_its_command_and_environment_is_scored(command, runs):
    run = runs / "linear-0"
    for name in ("command.txt", "environment.json", "names.json"):
        (run / name).unlink()
    command("evaluate", f"run={run}", "debug=fast", "evaluation=fast", "evaluation.name=again", "logger=[]")
    assert scores(run, "again") and (run / "report.html").exists()


def test_two_evaluations_at_once_keep_their_parts(tmp_path):
    """The first one to end leaves the parts to the other, which removes them."""
    folder = tmp_path / "evaluation" / "fast-1"
    with keep_parts(folder):
        (folder / "a").write_text("a part")
        with keep_parts(folder):
            assert (folder / "a").exists()
        assert (folder / "a").exists()
    assert not folder.parent.exists()
    with pytest.raises(KeyboardInterrupt), keep_parts(folder):
        raise KeyboardInterrupt
    assert folder.exists()


def test_parts_of_a_stranger_are_one_line(command, runs, monkeypatch):
    run = runs / "linear-0"
    arguments = ("evaluate", f"run={run}", "debug=fast", "evaluation=fast", "evaluation.name=again", "logger=[]")
    with monkeypatch.context() as patch:
        patch.setattr(workflow, "summarise", lambda *arguments: (_ for _ in ()).throw(ValueError("stopped here")))
        with pytest.raises(SystemExit, match="stopped here"):
            command(*arguments)
    (part, *_) = sorted((run / "evaluation").rglob("*.safetensors"))
    part.write_bytes(native.to_bytes({"a": torch.zeros(1)}, {}))
    with pytest.raises(
        SystemExit, match="holds parts of another evaluation, as 000000.safetensors; delete that folder"
    ):
        command(*arguments)


def test_scores_that_are_written_at_once_are_all_kept(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    from latent_lab.runs import Run

    run = Run.create(tmp_path / "run", "seed: 0")

    def add(i: int) -> None:
        with run.lock():
            run.write("metrics.json", json.dumps(run.read_json("metrics.json") | {str(i): i}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert len(run.read_json("metrics.json")) == 40
