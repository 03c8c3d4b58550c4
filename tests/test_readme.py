"""The README is true to the letter: its commands run (with debug=fast), its make targets exist, its Python works."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from latent_lab.installation import CONF
from tests.idx_files import write_idx
from tests.workflows.conftest import newest_run

ROOT = CONF.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
LINES = [line.split("#")[0].strip() for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]


def run_main(monkeypatch, module: str, arguments: list[str]) -> None:
    from importlib import import_module

    monkeypatch.setattr(sys, "argv", [module, *arguments])
    GlobalHydra.instance().clear()
    import_module(module).main()


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """A data folder with 1,100 images of noise in MNIST's format."""
    rng = torch.Generator().manual_seed(0)
    images, labels = (
        torch.randint(256, (1100, 28, 28), generator=rng, dtype=torch.uint8),
        torch.arange(1100, dtype=torch.uint8) % 10,
    )
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name, values in (("train-images-idx3-ubyte.gz", images), ("train-labels-idx1-ubyte.gz", labels)):
        write_idx(folder / name, values)
    monkeypatch.setenv("LATENT_LAB_DATA", str(tmp_path / "data"))


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("python")])
def test_commands(line, monkeypatch, tmp_path, digits, undrawn, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    _, _, module, *arguments = shlex.split(line)
    if "--help" in arguments:
        with pytest.raises(SystemExit) as stop:
            run_main(monkeypatch, module, arguments)
        assert stop.value.code in (0, None)
        assert (
            f"method: {', '.join(sorted(file.stem for file in (CONF / 'method').glob('*.yaml')))}"
            in capfd.readouterr().out
        )
        return
    if module == "latent_lab.invert":
        from PIL import Image

        Image.new("RGB", (40, 30), "grey").save(tmp_path / "a.png")
        gan = (
            ["gan.weights=random", "gan.size=tiny", "dataset=colour", "align=none"]
            if "gan=mobilestylegan_256" in arguments
            else ["count=2"]
        )
        steps = (
            [f"inverter.blocks.{part}.steps=2" for part in ("latents", "noise")]
            if "inverter=i2spp" in arguments
            else ["inverter.steps=2"]
        )
        arguments = [argument.replace("<file>", "a.png") for argument in arguments] + [*gan, *steps]
        run_main(monkeypatch, module, arguments)
        assert len(list(tmp_path.glob("outputs/inversions/*/*/scores.json"))) == 1
        return
    if "run=<folder>" in arguments or module.endswith("compare"):
        run_main(monkeypatch, "latent_lab.train", ["debug=fast", "logger=csv"])
        run = newest_run(tmp_path)
        extra = {"latent_lab.evaluate": ["debug=fast", "logger=[]"]}.get(module, [])
        arguments = [f"run={run}" if argument == "run=<folder>" else argument for argument in arguments] + extra
        if module.endswith("edit"):  # the names that a run of more than seconds has
            entry = next(iter(json.loads((run / "names.json").read_text()).values()))
            (run / "names.json").write_text(json.dumps(dict.fromkeys(("slant", "thickness", "age", "smile"), entry)))
            arguments += ["frames=3", "steps=3"]
        if "source=<inversion>" in arguments:
            run_main(
                monkeypatch,
                "latent_lab.invert",
                ["images=held_out", "count=2", "inverter.steps=2", "hydra.run.dir=inverted"],
            )
            arguments[arguments.index("source=<inversion>")] = "source=inverted"
    else:
        arguments = [*arguments, "debug=fast", "logger=csv"]
    run_main(monkeypatch, module, arguments)
    produced = {
        "latent_lab.pretrain": "generator.safetensors",
        "latent_lab.compare": "compare.html",
        "latent_lab.edit": "edits.json",
    }.get(module, "report.html")
    jobs = 4 if "-m" in arguments else 1
    assert len(list(tmp_path.glob(f"outputs/**/{produced}"))) == jobs


@pytest.mark.parametrize(
    "line",
    sorted(
        {line for line in LINES if line.startswith("make")}
        | {f"make {target}" for target in re.findall(r"`make (\w+)`", README)}
    ),
)
def test_make_targets(line):
    subprocess.run([*shlex.split(line), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_python(tmp_path):
    (block,) = [block for kind, block in BLOCKS if kind == "python"]
    names: dict = {}
    exec(block, names)
    assert names["images"].shape == (8, 1, 32, 32)


def test_links():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_its_choices_are_all_there():
    for group in (
        "gan",
        "method",
        "flow",
        "reconstructor",
        "dataset",
        "inverter",
        "evaluation",
        "trainer",
        "logger",
        "launcher",
    ):
        (row,) = re.findall(rf"^\| `{group}` \|(.*)$", README, re.MULTILINE)
        for file in (Path(CONF) / group).glob("*.yaml"):
            assert f"`{file.stem}`" in row, f"{group}={file.stem}"
