"""A folder may be a stranger's: whatever it asks for, it runs, fetches, overwrites and reveals nothing, and ends in one
line."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from hydra.core.global_hydra import GlobalHydra

from latent_lab import load_run
from latent_lab.checkpoints import native
from latent_lab.installation import list_named_classes
from latent_lab.renamed import CLASSES, current_name
from latent_lab.runs import Run
from latent_lab.trust import LOGGERS, OPTIMISERS, SCHEDULES, SHORT, TRAINER

STORED = Path(__file__).parent.parent / "stored"
COMMANDS = {
    "train": ["run={}"],
    "evaluate": ["run={}"],
    "compare": ["run={}"],
    "edit": ["run={}", "source=0", "edits={{path0: 1}}"],
    "edit source": ["source={}", "run={}", "edits={{path0: 1}}"],
    "compose": ["source={}", "gan=sngan_mnist", "gan.space=z"],
    "invert": ["run={}"],
    "pretrain": ["run={}"],
    "train_encoder": ["run={}"],
    "train_fusion": ["run={}"],
    "convert": ["run={}", "target=directions.npy"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A run that a stranger may have changed, and a place of the user's that nothing may touch."""
    monkeypatch.setenv("LATENT_LAB_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SECRET", "not for strangers")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "kept.md").write_text("the user's")
    return Path(shutil.copytree(STORED / "0.1.0", tmp_path / "outputs" / "run"))


@pytest.fixture
def closed_world(monkeypatch):
    """No program is started, no address is asked, and nothing is unpickled by torch or Python."""

    def refuse(*arguments, **options):
        raise AssertionError(f"reached: {arguments}")

    import pickle
    import socket

    for where, name in (
        *((os, "system"), (subprocess, "Popen"), (socket.socket, "connect"), (socket, "getaddrinfo")),
        *((torch, "load"), (pickle, "loads"), (pickle, "load")),
    ):
        monkeypatch.setattr(where, name, refuse)


def changed(folder: Path, key: str, value: object) -> None:
    """The folder's configuration with another value."""
    file = folder / "config.yaml"
    config = yaml.safe_load(file.read_text())
    *way, last = key.split(".")
    node = config
    for part in way:
        node = node.setdefault(part, {}) if isinstance(node, dict) else node[int(part)]
    node[last] = value
    file.write_text(yaml.safe_dump(config))


def everything(place: Path) -> dict[Path, bytes | str]:
    """All files below a place with their contents, and where links lead."""
    return {
        file: os.readlink(file) if file.is_symlink() else file.read_bytes()
        for file in place.rglob("*")
        if file.is_symlink() or file.is_file()
    }


LOADS = "pytorch_lightning.LightningModule.load_from_checkpoint"
ATTACKS = {
    "an interpolation that builds": ("dataset.hint", "${oc.create:{_target_: torch.load, f: x}}"),
    "an interpolation in the trainer": ("trainer.max_steps", "${oc.create:{_target_: os.system, command: x}}"),
    "an interpolation in a key": ("dataset", {"${oc.env:SECRET}": 1}),
    "a secret in an address": ("gan.source.url", "http://127.0.0.1:9/${oc.env:SECRET}"),
    "a secret in a label": ("label", "${oc.env:SECRET}"),
    "a mandatory value": ("label", "???"),
    "a function": ("dataset.attributes._target_", "os.system"),
    "a method that unpickles an address": (
        "dataset.attributes",
        {"_target_": LOADS, "checkpoint_path": "http://127.0.0.1:9/x.ckpt"},
    ),
    "a method that writes": (
        "dataset.identity",
        {"_target_": "latent_lab.runs.Run.write", "self": {"folder": "user"}, "name": "x"},
    ),
    "a function that writes": (
        "method",
        {"_target_": "latent_lab.runs.write_atomically", "file": "user/kept.md", "content": "x"},
    ),
    "Lightning's yaml": (
        "logger.csv",
        {"_target_": "pytorch_lightning.core.saving.save_hparams_to_yaml", "config_yaml": "x"},
    ),
    "a class of another part": ("dataset.attributes", {"_target_": "pytorch_lightning.Trainer"}),
    "a class that no yaml names": (
        "method",
        {"_target_": "latent_lab.checkpoints.download.Resuming", "part": "user/kept.md"},
    ),
    "a builder": ("method", {"_target_": "latent_lab.workflows.build.build_attributes", "dataset": {}, "names": None}),
    "a builder in a list": (
        "dataset.attributes.parts",
        [{"_target_": "latent_lab.workflows.build.compose_config", "command": "x"}],
    ),
    "a callback that writes": (
        "trainer.callbacks",
        [{"_target_": "pytorch_lightning.callbacks.ModelCheckpoint", "dirpath": "user"}],
    ),
    "a profiler that writes": (
        "trainer.profiler",
        {"_target_": "pytorch_lightning.profilers.SimpleProfiler", "dirpath": "user"},
    ),
    "a folder of the trainer": ("trainer.default_root_dir", "user"),
    "a folder of a logger": ("logger.csv.save_dir", "user"),
    "a name of a logger": ("logger.csv.name", "../../user"),
    "a version of a logger": ("logger.csv.version", "../../../user"),
    "an address of a logger": ("logger.wandb.settings", {"base_url": "http://127.0.0.1:9"}),
    "a team of a logger": ("logger.wandb.entity", "stranger"),
    "positional arguments": ("method._args_", ["x"]),
    "a name of the generator": ("gan.name", "../../user/kept"),
    "a name of the preview": (
        "gan.preview",
        {"name": "x", "source": {"file": "../../x", "url": "http://127.0.0.1:9/x"}},
    ),
    "a name of the evaluation": ("evaluation.name", "../../user"),
    "a name of the data set": ("dataset.name", "../mnist"),
    "a file of the data set": ("dataset.data.files.images.name", "../../user/kept.md"),
    "a label that a terminal obeys": ("label", "a\x1b[2Jb"),
    "a seed that is none": ("seed", [0]),
    "a generator that is none": ("gan.generator", "latent_lab.gans.sngan.SNGAN"),
    "a target that is no text": ("method._target_", ["os.system"]),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_configuration_is_one_line(name, folder, closed_world):
    changed(folder, *ATTACKS[name])
    before = everything(folder.parent.parent)
    with pytest.raises(ValueError) as refusal:
        load_run(folder)
    text = str(refusal.value)
    assert "config.yaml" in text and "\n" not in text and "not for strangers" not in text and len(text) < 500
    assert everything(folder.parent.parent) == before


TEXTS = {
    "aliases that make a thousand million nodes": "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    + "".join(
        f"{here}: &{here} [{','.join(f'*{there}' for _ in range(10))}]\n" for there, here in zip("abcdefgh", "bcdefghi")
    ),
    "an ordered map": "gan: !!omap [a: {_target_: os.system}]\n",
    "pairs": "gan: !!pairs [a: {_target_: os.system}]\n",
    "a set": "gan: !!set {a, b}\n",
    "an object": "gan: !!python/object/apply:os.system [x]\n",
    "a date": "gan: 2001-01-01\n",
    "bytes": "gan: !!binary aGVsbG8=\n",
    "numbers as keys": "1: 2\n",
    "deep nesting": "a: " + "[" * 5000,
    "many nodes": "a: [" + "1," * 100_000 + "]\n",
    "no mapping": "- 1\n",
    "nothing": "",
    "no text": "\x00\x01",
    "a million digits": "seed: " + "9" * 900_000,
    "two million letters": "a: " + "b" * 2_000_000,
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_yaml_is_one_line(name, folder):
    (folder / "config.yaml").write_text(TEXTS[name])
    with pytest.raises(ValueError, match="config.yaml") as refusal:
        load_run(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "link", ["pictures", "logs", "checkpoints", "evaluation", "images", "wandb", "logs/0", "report.html"]
)
def test_links_out_of_the_folder_are_not_followed(link, folder, tmp_path):
    (folder / link).parent.mkdir(exist_ok=True)
    (folder / link).symlink_to(tmp_path / "user", target_is_directory=True)
    with pytest.raises(ValueError, match="is a link out of the run's folder"):
        Run.open(folder)
    assert {file.name for file in (tmp_path / "user").iterdir()} == {"kept.md"}


def test_settings_of_wandb_are_refused(folder):
    (folder / "wandb").mkdir()
    (folder / "wandb" / "settings").write_text("[default]\nbase_url = http://127.0.0.1:9\n")
    with pytest.raises(ValueError, match="has a file wandb/settings, which can send what W&B logs elsewhere"):
        Run.open(folder)


def test_a_pipe_in_the_folder_blocks_nothing(folder):
    os.mkfifo(folder / "command.txt.fifo")
    with pytest.raises(ValueError, match="is neither a file nor a folder"):
        Run.open(folder)


def test_what_is_written_does_not_go_through_a_link(tmp_path):
    (tmp_path / "user").mkdir()
    run = Run.create(tmp_path / "run", "seed: 0")
    (run.folder / "pictures").symlink_to(tmp_path / "user")
    with pytest.raises(ValueError, match="must lie in the run's folder, got a link to"):
        run.write("pictures/strips.png", b"x")
    assert not list((tmp_path / "user").iterdir())


def test_weights_of_a_stranger_come_from_here(folder):
    """A file's name, an address and a package that the folder gives for its generator are not looked at."""
    (folder / "parent").mkdir()
    (folder / "parent" / "__init__.py").write_text("raise AssertionError('imported')")
    changed(
        folder,
        "gan.source",
        {"file": "../../dropped", "url": "http://127.0.0.1:9/x", "package": {"name": "parent.child"}},
    )
    space, paths, _ = load_run(folder)
    assert space.shape == (64,) and paths.num_paths == 4
    changed(folder, "gan.name", "of_a_stranger")
    with pytest.raises(FileNotFoundError, match="of_a_stranger of this run is not known here: give weights=<file>"):
        load_run(folder)
    from latent_lab.checkpoints.locate import PACKAGED

    assert load_run(folder, PACKAGED / "sngan_mnist.safetensors")[0].shape == (64,)


def test_nothing_is_fetched_for_a_folder(folder, monkeypatch):
    """Neither from a stranger's address nor from this installation's: the line says how to fetch it."""
    monkeypatch.setattr("requests.get", lambda *arguments, **options: pytest.fail(f"fetched {arguments}"))
    changed(folder, "gan.name", "stylegan2")
    with pytest.raises(
        FileNotFoundError,
        match="latent_lab.convert source=stylegan2 target=<file>.safetensors fetches them; or give weights=",
    ):
        load_run(folder)
    changed(folder, "gan.name", "sngan_mnist")
    assert Run.open(folder).read_config()["dataset"]["data"]["url"] is None
    changed(folder, "dataset.data.folder", "nowhere")
    assert "nothing is fetched for a run's folder: put the file there" in run_main("pretrain", f"run={folder}")


def test_weights_wins_and_must_be_the_runs(folder, tmp_path, generator):
    from latent_lab.checkpoints.locate import PACKAGED
    from latent_lab.workflows.convert import generator_bytes

    changed(folder, "gan.weights", "gone/elsewhere.safetensors")
    with pytest.raises(FileNotFoundError, match="weights"):
        load_run(folder)
    assert load_run(folder, weights=PACKAGED / "sngan_mnist.safetensors")[2]["gan"] == "sngan_mnist"
    (tmp_path / "other.safetensors").write_bytes(generator_bytes(generator))
    with pytest.raises(ValueError, match="was made on a generator with hash .* give weights=<file>"):
        load_run(folder, tmp_path / "other.safetensors")
    with pytest.raises(
        FileNotFoundError, match="weights must be a file with the run's generator, got .*, which is none"
    ):
        load_run(folder, tmp_path / "none")


def run_main(module: str, *arguments: str) -> str:
    """The one line that a command ends with."""
    GlobalHydra.instance().clear()
    with pytest.raises(SystemExit) as stop, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"latent_lab.{module}", *arguments])
        importlib.import_module(f"latent_lab.{module}").main()
    assert isinstance(stop.value.code, str) and "\n" not in stop.value.code, stop.value.code
    return stop.value.code


READ: list[str] = []
WATCHED: list[str] = []  # the folder; audit hooks cannot be taken away again


def watch(event: str, arguments: tuple) -> None:
    if WATCHED and event in ("open", "os.scandir", "os.listdir") and str(arguments[0]).startswith(WATCHED[0]):
        READ.append(f"{event} {arguments[0]}")


sys.addaudithook(watch)


@pytest.mark.parametrize("name", [*COMMANDS, "load_run"])
def test_folders_come_in_by_one_door(name, folder, monkeypatch):
    """Nothing of a folder is looked at before or beside :meth:`Run.open`, by any command."""

    def door(cls, folder, weights=None):
        raise ValueError(f"the door was asked for {folder}")

    monkeypatch.setattr(Run, "open", classmethod(door))
    READ.clear()
    WATCHED[:] = [str(folder)]
    try:
        if name == "load_run":
            with pytest.raises(ValueError, match="the door was asked"):
                load_run(folder)
        else:
            arguments = [argument.format(folder) for argument in COMMANDS[name]]
            assert f"the door was asked for {folder}" in run_main(name.split()[0], *arguments)
    finally:
        WATCHED.clear()
    assert [line for line in READ if "config.yaml" in line or line.startswith("open")] == []


def test_every_class_that_a_folder_may_name_is_a_class():
    names = set().union(*list_named_classes().values()) | SHORT | set(LOGGERS) | {TRAINER} | set(CLASSES.values())
    for name in sorted(names):
        module, _, last = name.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), last), type), name
    assert {name.rpartition(".")[2] for name in SHORT} == {*OPTIMISERS, *SCHEDULES}


@pytest.mark.parametrize("version", sorted(file.name for file in STORED.iterdir()))
def test_folders_of_older_versions_are_still_runs(version):
    """One stored folder a version: names of classes that have moved since are mapped by ``latent_lab.renamed``."""
    run = Run.open(STORED / version)
    _, paths, metadata = load_run(run.folder)
    assert paths.num_paths == 4 and metadata["gan"] == "sngan_mnist"
    assert run.read_config()["logger"]["wandb"]["_target_"] == CLASSES["latent_lab.workflows.loggers.wandb_logger"]


@pytest.mark.parametrize("version", sorted(file.name for file in STORED.iterdir()))
def test_classes_of_older_versions_are_found_under_their_new_names(version):
    """``classes.txt`` of a stored folder lists every class that the version's own yamls named."""
    for name in (STORED / version / "classes.txt").read_text().split():
        module, _, last = current_name(name).rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), last), type), name


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("names.json", "[]"),
        ("names.json", '{"ink": {"path": "x"}}'),
        ("names.json", "[" * 100_000),
        (
            "names.json",
            '{"ink": {"path": 0, "amounts": [1e999], "changes": [0], "reachable": [0, 0], "deviation": null}}',
        ),
        ("findings.json", '{"names": {"a": 1}}'),
        ("environment.json", '{"versions": 3}'),
        ("metrics.json", "{"),
        ("metrics.json", '{"fast": {"scores": []}}'),
    ],
)
def test_hostile_json_is_one_line(file, content, folder):
    (folder / file).write_text(content)
    command = {
        "metrics.json": ("compare", f"run={folder}", "protocol=fast"),
        "environment.json": ("evaluate", f"run={folder}", "debug=fast"),
    }
    command = command.get(file, ("edit", f"run={folder}", "source=0", "edits={ink: 1}"))
    if file == "findings.json":
        command = ("edit", f"run={folder}", "source=0", "edits={nothing: 1}")
    assert file in run_main(*command)


def test_a_comparison_writes_into_its_own_folder(folder, tmp_path):
    before = everything(tmp_path / "user")
    changed(folder, "gan.name", str(tmp_path / "user" / "kept"))
    assert "gan.name must be a plain name" in run_main("compare", f"run={folder}", "protocol=fast")
    assert everything(tmp_path / "user") == before and not (tmp_path / "outputs" / "compare").exists()


def test_paths_of_a_stranger_ask_for_no_memory(folder):
    description = {"format": 1, "class": "latent_lab.paths.linear.LinearPaths", "generator": "0", "space": "z"}
    description["config"] = {"dim": 10**6, "num_paths": 10**6, "kind": "free"}
    (folder / "paths.safetensors").write_bytes(native.to_bytes({"weight": torch.zeros(1)}, description))
    with pytest.raises(ValueError, match="paths.safetensors") as refusal:
        load_run(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "config",
    [{"dim": 65, "num_paths": 4}, {"dim": 64, "num_paths": 64, "layers": [0]}, {"dim": 10**9, "num_paths": 10**9}],
)
def test_paths_of_another_size_are_one_line(config, folder):
    """Local paths hold no tensors that would tell."""
    about = {
        "format": 1,
        "class": "latent_lab.paths.local.LocalBasisPaths",
        "generator": Run.open(folder).load_paths()[1]["generator"],
    }
    (folder / "paths.safetensors").write_bytes(native.to_bytes({}, about | {"space": "z", "config": config}))
    with pytest.raises(ValueError, match=r"must hold paths of space z with latents of \(64,\)"):
        load_run(folder)


def test_equal_files_are_written_for_equal_paths(folder):
    run = Run.open(folder)
    paths, metadata = run.load_paths()
    contents = {native.to_bytes(paths.state_dict(), metadata) for _ in range(10)}
    assert len(contents) == 1 and json.loads(json.dumps(metadata)) == metadata


@pytest.mark.parametrize(
    "content", ["step,a\n1,x\n", "step,a\nx,1\n", "step,a\n1," + "9" * 200_000 + "x\n", "step\n1,2,3\n"]
)
def test_hostile_curves_are_one_line(content, folder):
    (folder / "logs" / "0").mkdir(parents=True)
    (folder / "logs" / "a").mkdir()
    for name in ("0", "a"):
        (folder / "logs" / name / "metrics.csv").write_text(content)
    with pytest.raises(ValueError, match="metrics.csv is no table of training curves .* delete it") as refusal:
        Run.open(folder).collect_curves()
    assert "\n" not in str(refusal.value)
