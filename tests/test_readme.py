"""README and guide are true to the letter: their commands run on tiny budgets, make targets exist, the Python works."""

import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from latent_lab import __main__ as console
from latent_lab.installation import CONF
from tests.checkpoints import layouts, writers
from tests.idx_files import write_idx

ROOT = CONF.parent
README = (ROOT / "README.md").read_text()
PAGES = {"README": README} | {file.stem: file.read_text() for file in (ROOT / "docs" / "guide").glob("*.md")}
BLOCKS = [block for text in PAGES.values() for block in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)]
LINES = [line.split("  #")[0].strip() for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]
FIRST = "latent-lab train method=linear method.paths.kind=free"  # all other lines take its run

TINY_STYLEGAN2 = ("gan=stylegan2", "gan.weights=random", "gan.size=tiny")
BUDGETS = {
    "train": ("debug=fast", "logger=csv"),
    "evaluate": ("debug=fast", "logger=[]"),
    "compare": (),
    "convert": (),
    "edit": ("frames=3", "steps=3"),
    "invert": ("inverter.steps=2",),
    "compose": (*TINY_STYLEGAN2, "application.blocks.latents.steps=2", "application.blocks.noise.steps=2"),
    "train_encoder": (
        *(*TINY_STYLEGAN2, "debug=fast", "held_out=4", "logger=[]", "encoder.batch_size=2"),
        *("encoder.objective.features=0", "encoder.objective.identity=0", "encoder.first=1", "encoder.every=1"),
        "encoder.network={resolution: 32, widths: [4, 8, 12, 16], depths: [1, 1, 1, 1], reduction: 2, head_width: 8}",
    ),
    "pretrain": (
        *("debug=fast", "logger=[]", "judge.epochs=0", "gan.generator.widths=[8,8,8,8]"),
        "gan.pretraining.critic.widths=[8,8]",
    ),
}
# for inverter=i2spp on a generator of faces, whose packages are not needed here
FACES = (
    *("gan.weights=random", "gan.size=tiny", "dataset=colour", "align=none"),
    *("inverter.blocks.latents.steps=2", "inverter.blocks.noise.steps=2"),
)
LEAVES = {
    "train": "report.html",
    "evaluate": "report.html",
    "compare": "compare.html",
    "edit": "edits.json",
    "invert": "scores.json",
    "compose": "result_1.png",
    "train_encoder": "encoder.safetensors",
    "pretrain": "generator.safetensors",
}


def call(monkeypatch, *arguments: str) -> None:
    """Run ``latent-lab <arguments>`` in this process."""
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)
    monkeypatch.setattr(sys, "argv", ["latent-lab", *arguments])
    GlobalHydra.instance().clear()
    console.main()


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    """Data, a picture and a checkpoint that the lines ask for: noise, all of it."""
    folder, rng = tmp_path_factory.mktemp("guide"), torch.Generator().manual_seed(0)
    (folder / "data" / "mnist").mkdir(parents=True)
    digits = torch.randint(256, (1100, 28, 28), generator=rng, dtype=torch.uint8)
    write_idx(folder / "data" / "mnist" / "train-images-idx3-ubyte.gz", digits)
    write_idx(folder / "data" / "mnist" / "train-labels-idx1-ubyte.gz", torch.arange(1100, dtype=torch.uint8) % 10)
    from PIL import Image

    from latent_lab.gans.stylegan2 import StyleGAN2

    Image.new("RGB", (40, 30), "grey").save(folder / "a.png")
    model = layouts.random_weights(StyleGAN2(8, 6, 0, [6, 4], 1))
    (folder / "official.pkl").write_bytes(writers.nvidia_pickle(model))
    return folder


@pytest.fixture
def place(shared, monkeypatch, undrawn) -> Path:
    """The folder that the lines work in, which holds a run and an inversion once the first line has asked."""
    monkeypatch.chdir(shared)
    monkeypatch.setenv("LATENT_LAB_DATA", str(shared / "data"))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    if not (shared / "outputs").exists():
        call(monkeypatch, *shlex.split(FIRST)[1:], *BUDGETS["train"])
        inversion = ("images=held_out", "count=2", f"target={shared}/inversion")
        call(monkeypatch, "invert", *inversion, *BUDGETS["invert"])
    return shared


def run_of(place: Path) -> Path:
    (run,) = place.glob("outputs/linear-sngan_mnist/*")
    return run


@pytest.mark.parametrize("line", [line for line in dict.fromkeys(LINES) if line.startswith("latent-lab")])
def test_commands(line, monkeypatch, place, capfd):
    if "--help" in line:
        with pytest.raises(SystemExit) as stop:
            call(monkeypatch, *shlex.split(line)[1:])
        assert stop.value.code in (0, None)
        methods = sorted(file.stem for file in (CONF / "method").glob("*.yaml"))
        assert f"method: {', '.join(methods)}" in capfd.readouterr().out
        return
    run, start = run_of(place), time.time_ns()
    for gap, name in {
        "folder": run,
        "inversion": "inversion",
        "picture": "a.png",
        "checkpoint": "official.pkl",
    }.items():
        line = line.replace(f"<{gap}>", str(name))
    _, command, *arguments = shlex.split(line)
    budget = BUDGETS[command]
    if line == FIRST:
        assert (run / "report.html").is_file()
        return
    if command == "train" and any(argument.startswith("run=") for argument in arguments):
        budget = ()  # its own
    if "inverter=i2spp" in arguments:
        budget = FACES
    if command == "edit":  # the names that a run of more than seconds has
        entry = next(iter(json.loads((run / "names.json").read_text()).values()))
        names = dict.fromkeys(("slant", "thickness", "age", "smile"), entry)
        (run / "names.json").write_text(json.dumps(names))
    call(monkeypatch, command, *arguments, *budget)
    if command == "convert":
        (target,) = [argument.split("=")[1] for argument in arguments if argument.startswith("target=")]
        assert (place / target).is_file()
        return
    written = [file for file in place.glob(f"outputs/**/{LEAVES[command]}") if file.stat().st_mtime_ns >= start]
    assert len(written) == (2 if "-m" in arguments else 1)


@pytest.mark.parametrize(
    "line",
    sorted(
        {line for line in LINES if line.startswith("make")}
        | {f"make {target}" for text in PAGES.values() for target in re.findall(r"`make (\w+)`", text)}
    ),
)
def test_make_targets(line):
    subprocess.run([*shlex.split(line), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_every_line_is_tested():
    assert FIRST in LINES
    assert {line.split()[0] for line in LINES} <= {"latent-lab", "make", "pip"}


def test_python():
    (block,) = [block for kind, block in BLOCKS if kind == "python"]
    names: dict = {}
    exec(block, names)
    assert names["images"].shape == (4, 1, 32, 32)
    assert names["scores"] and len(names["found"]) == 4


def test_the_readme_is_short():
    assert len(README.split()) <= 700


@pytest.mark.parametrize(
    ("what", "files"),
    [
        ("methods", "conf/method/*.yaml"),
        ("generators", "conf/gan/*.yaml"),
        ("formats of checkpoints", "latent_lab/checkpoints/formats/[!_]*.py"),
        ("data sets", "conf/dataset/*.yaml"),
        ("metrics", "conf/metric/*.yaml"),
        ("inverters", "conf/inverter/*.yaml"),
        ("applications of inversion", "conf/application/*.yaml"),
    ],
)
def test_counts(what, files):
    (number,) = re.findall(rf"^\| {what} \| (\d+) \|", README, re.MULTILINE)
    count = len([file for file in ROOT.glob(files) if file.stem != "none"])
    assert int(number) == count, f"README.md, What is inside: {what} must be {count}, got {number}"
