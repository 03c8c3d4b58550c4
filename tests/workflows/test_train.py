"""The main command: what it writes, that it repeats, and what it says when something is wrong."""

import csv
import json
import math
import re
import time

import pytest
import torch
from safetensors.torch import load_file

from latent_lab import load_run
from latent_lab.methods.random import RandomBasis
from latent_lab.runs import Run


@pytest.mark.drawn
def test_a_run_leaves_everything(train, capsys):
    run = train()
    printed = capsys.readouterr().out.strip().splitlines()
    assert printed[-1].endswith(f"{run}/report.html")
    names = {file.name for file in run.iterdir()}
    assert {
        "config.yaml",
        "paths.safetensors",
        "metrics.json",
        "names.json",
        "metrics.csv",
        "environment.json",
        "report.html",
        "pictures",
        "checkpoints",
    } <= names
    metrics = json.loads((run / "metrics.json").read_text())
    fast = metrics["fast"]["draws"]["0"]
    for name, score in fast["scores"].items():
        assert score["low"] is None or score["low"] <= score["high"], name
        assert score["mean"] is None or math.isfinite(score["mean"]), name
    assert fast["scores"]["commutativity/swap/latents"]["mean"] < 1e-4
    assert [pick["attribute"] for pick in fast["chosen_paths"]] == ["width", "height"]  # the first targets
    names = json.loads((run / "names.json").read_text())
    targets = {name for name, entry in names.items() if entry["target"]}
    assert targets == {"width", "height", "slant", "thickness"} and "ink" in names
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    assert {
        "step",
        "train/loss",
        "train/edit_length",
        "val/accuracy_at_length",
        "val/prior/outside_99.9_shell",
        "val/side_effects",
    } <= rows[0].keys()
    page = (run / "report.html").read_text()
    assert "python -m latent_lab.train" in page and "debug=fast" in page
    assert 'src="data:image/png;base64,' in page and "http" not in page.replace("http://www.w3.org", "")
    assert not list(run.rglob("*.part"))


@pytest.mark.parametrize(
    "arguments",
    [("method=linear",), ("method=warped",), ("flow=coupling",), ("flow=ffjord", "method.objective.log_det=1")],
    ids=["linear", "warped", "coupling", "ffjord"],
)
def test_the_same_seed_gives_the_same_bits(train, no_scores, arguments):
    one, other = (
        load_file(train(*arguments, "seed=5", f"target={name}") / "paths.safetensors") for name in ("one", "other")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_another_seed_gives_other_paths(train, no_scores):
    one, other = (load_file(train("method=linear", f"seed={seed}") / "paths.safetensors") for seed in (0, 1))
    assert not torch.equal(one["weight"], other["weight"])


def test_load_run_gives_back_space_and_paths(train, no_scores):
    run = train("method=linear")
    space, paths, metadata = load_run(run)
    codes = space.sample(3, torch.Generator().manual_seed(0))
    moved = paths.shift(codes.latents, torch.tensor([0, 1, 2]), torch.ones(3))
    assert space.decode(codes.moved(moved)).shape == (3, 1, 32, 32)
    assert metadata["gan"] == "sngan_mnist" and metadata["space"] == "z"


def test_a_strangers_run_is_not_executed(train, no_scores):
    run = Run(train("method=linear"))
    text = (run.folder / "config.yaml").read_text()
    (run.folder / "config.yaml").write_text(text.replace("latent_lab.gans.sngan.SNGAN\n", "os.system\n"))
    with pytest.raises(ValueError, match="gan.generator of a run may name only classes .* got 'os.system'"):
        load_run(run.folder)


@pytest.mark.parametrize("target", ["os.system", "latent_lab.runs.subprocess.run", "nowhere.such"])
def test_a_strangers_run_is_not_continued_either(train, no_scores, target):
    run = train("method=linear", "target=mine")
    (run / "config.yaml").write_text(
        (run / "config.yaml").read_text().replace("latent_lab.attributes.digits.DigitAttributes", target)
    )
    with pytest.raises(
        SystemExit, match=f"may name only classes that latent_lab's own configurations name there, got '{target}'"
    ):
        train("run=mine", tiny=False)


def test_other_weights_are_noticed(train, no_scores):
    run = train("method=linear")
    (run / "config.yaml").write_text(
        re.sub("^seed: 0", "seed: 1", (run / "config.yaml").read_text(), flags=re.MULTILINE)
    )
    with pytest.raises(ValueError, match="made on a generator with hash"):
        load_run(run)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("method.num_paths=17",), "num_paths must be at most the latent's size 16 for curvilinear paths, got 17"),
        (
            ("method=linear", "method.paths.kind=diagonal"),
            r"kind must be one of \('orthogonal', 'projective', 'free'\), got 'diagonal'",
        ),
        (
            ("method.amounts=[6,0.5]",),
            r"method.amounts must be two numbers with 0 < smallest <= largest, got \[6, 0.5\]",
        ),
        (("method.objective.length=-1",), "method.objective.length must be a number of at least 0, got -1"),
        (("method=linear", "method.objective.log_det=1"), "objective.log_det must be 0 for LinearPaths"),
        (("gan.space=w",), r"space must be one of \('z',\), got 'w'"),
        (("gan.weights=nowhere.safetensors",), "gan.weights must be a file, null .* which does not exist"),
        (("evaluation.strip_steps=4",), "evaluation.strip_steps must be odd"),
        (("method.lr_paths=1e12",), "is not finite at step .* try a smaller"),
        (("run=nowhere",), "run must be a run's folder"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(train, arguments, message):
    with pytest.raises(SystemExit, match=message) as stop:
        train(*arguments, tiny=not arguments[0].startswith("run="))
    assert "\n" not in str(stop.value.code)


def test_weights_that_are_not_shipped_say_where_to_put_them(train, monkeypatch, tmp_path):
    monkeypatch.setenv("LATENT_LAB_HOME", str(tmp_path / "cache"))
    with pytest.raises(
        SystemExit,
        match=f"put the file at {tmp_path}/cache/sngan_anime.safetensors .*latent_lab.pretrain gan=sngan_anime",
    ):
        train("debug=fast", "gan=sngan_anime", "logger=csv", tiny=False)


def test_truncated_and_foreign_weights_are_refused(train, tmp_path):
    from latent_lab.checkpoints.locate import PACKAGED

    content = (PACKAGED / "sngan_mnist.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.safetensors").write_text("no weights")
    (tmp_path / "other.safetensors").write_bytes(content)
    for name, gan, message in (
        ("half", "sngan_mnist", "is not a complete safetensors file"),
        ("text", "sngan_mnist", "it is neither safetensors, nor a file of torch, nor a pickle"),
        ("other", "proggan", "gan.weights must hold a ProgGAN for gan=proggan, got a SNGAN"),
    ):
        with pytest.raises(SystemExit, match=message):
            train(f"gan={gan}", f"gan.weights={tmp_path}/{name}.safetensors", f"target={name}")


def test_a_folder_that_holds_a_run_is_not_overwritten(train):
    run = train("target=mine")
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    with pytest.raises(SystemExit, match="already holds a run; continue it with run="):
        train("target=mine", "seed=1")
    assert before == {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}


def test_continuing_takes_no_other_argument(train, no_scores):
    run = train("method=linear")
    with pytest.raises(SystemExit, match=r"takes no other argument but weights=<file>, got \['seed=3'\]"):
        train(f"run={run}", "seed=3", tiny=False)


def test_local_weights_are_found_from_every_folder(train, no_scores, generator, tmp_path, monkeypatch):
    """A run keeps their absolute place; where they have gone, ``weights=`` says where to, and must be the same."""
    from latent_lab.workflows.convert import generator_bytes

    (tmp_path / "mine.safetensors").write_bytes(generator_bytes(generator))
    run = train("debug=fast", "method=random", "logger=csv", "gan.weights=mine.safetensors", "target=run", tiny=False)
    monkeypatch.chdir(tmp_path.parent)
    assert load_run(run)[0].shape == (16,)
    (tmp_path / "mine.safetensors").rename(tmp_path / "moved.safetensors")
    with pytest.raises(FileNotFoundError, match="gan.weights must be a file"):
        load_run(run)
    assert load_run(run, tmp_path / "moved.safetensors")[0].shape == (16,)
    (run / "paths.safetensors").unlink()  # as if the fit had not ended
    from latent_lab.checkpoints.locate import PACKAGED

    with pytest.raises(SystemExit, match="was begun on a generator with hash .* give weights=<file>"):
        train(f"run={run}", f"weights={PACKAGED / 'sngan_mnist.safetensors'}", tiny=False)
    train(f"run={run}", f"weights={tmp_path / 'moved.safetensors'}", tiny=False)
    assert (run / "paths.safetensors").exists()
    with pytest.raises(SystemExit, match="weights goes with run=<folder>; a new run takes gan.weights=<file>"):
        train("weights=moved.safetensors")


class OwnMethod(RandomBasis):
    """A user's own algorithm, which no yaml of this installation names."""


def test_a_new_run_may_name_what_no_folder_may(train, tmp_path):
    """The user's own class trains and is scored; the folder that it leaves is for others what any folder is."""
    run = train("method=random", f"method._target_={OwnMethod.__module__}.OwnMethod", "checkpoint_every=1")
    assert (run / "report.html").exists()
    with pytest.raises(
        SystemExit, match="may name only classes that latent_lab's own configurations name there, got 'tests.workflows"
    ):
        train(f"run={run}", tiny=False)


def test_a_new_run_fetches_its_named_weights(train, monkeypatch, tmp_path):
    monkeypatch.setenv("LATENT_LAB_HOME", str(tmp_path / "cache"))
    with pytest.raises(SystemExit, match="gan.weights: cannot fetch http://127.0.0.1:9/none"):
        train("gan.weights=null", "gan.source.file=none.safetensors", "+gan.source.url=http://127.0.0.1:9/none")


@pytest.mark.drawn
def test_equal_runs_have_equal_files(train):
    one, other = (train("method=linear", "seed=5", f"target={name}") for name in ("one", "other"))
    files = sorted(str(file.relative_to(one)) for file in one.rglob("*") if file.is_file())
    assert files == sorted(str(file.relative_to(other)) for file in other.rglob("*") if file.is_file())
    different = [name for name in files if (one / name).read_bytes() != (other / name).read_bytes()]
    assert different == [], different


def test_a_full_disk_is_one_line(train, monkeypatch):
    import errno
    import os

    monkeypatch.setattr(
        os, "fsync", lambda stream: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))
    )
    with pytest.raises(SystemExit, match="no space left for .*; free some"):
        train()


def test_wandb_logs_offline_without_a_login(train, monkeypatch, tmp_path):
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    run = train("logger=wandb")
    assert list(run.glob("wandb/offline-run-*/*.wandb"))
    assert (run / "report.html").exists()


def test_a_login_without_a_network_is_offline_at_once(monkeypatch):
    from latent_lab.training.loggers import wandb_offline

    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    start = time.time()
    assert wandb_offline()
    assert time.time() - start < 10
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(
        ValueError,
        match="^WANDB_MODE=online, but http://127.0.0.1:9 does not answer; set WANDB_MODE=offline, or logger=csv$",
    ):
        wandb_offline()
    assert time.time() - start < 10


def test_wandb_online_without_a_network_ends_before_the_training(train, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(
        SystemExit, match="WANDB_MODE=online, but http://127.0.0.1:9 does not answer; set WANDB_MODE=offline"
    ) as stop:
        train("logger=wandb")
    assert "\n" not in stop.value.code
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("method=crooked", "method must be one of curvilinear, .*, got 'crooked' .*latent_lab.train --help lists all"),
        ("gan=sngan_mnits", "gan must be one of sngan_mnist, .*; did you mean sngan_mnist,"),
        ("method.lr=3", "method.lr is no key of method; nearest: .*method.lr_paths"),
        ("method.layers=[0,1]", "method.layers is no key of method; nearest: flow.layers"),
    ],
)
def test_unknown_choices_and_options_name_the_nearest(train, argument, message):
    with pytest.raises(SystemExit, match=message) as stop:
        train(argument)
    assert "\n" not in stop.value.code
