"""docs/extending.md is true: its blocks are a package that is installed, found, and run by the page's own commands."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from latent_lab.installation import CONF

PAGE = (CONF.parent / "docs" / "extending.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
SMALL = ("logger=csv",)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder that the page's package is installed in; each block's first line says which file it is."""
    source, site = tmp_path_factory.mktemp("demo"), tmp_path_factory.mktemp("site")
    for kind, text in BLOCKS:
        place = re.match(r"# (\S+)\n", text)
        if kind != "bash" and place:
            file = source / place[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text[place.end() :])
    for folder in {file.parent for file in source.rglob("*.py")}:
        (folder / "__init__.py").touch()
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*install, "--target", str(site), str(source)], check=True)
    return site


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """Where the commands run, with the foreign checkpoint that the page converts."""
    folder = tmp_path_factory.mktemp("work")
    weights = torch.randn(3 * 32 * 32, 8, generator=torch.Generator().manual_seed(0))
    torch.save({"W": weights, "b": torch.zeros(3 * 32 * 32)}, folder / "published.pt")
    return folder


def run(line: str, site: Path, folder: Path) -> str:
    paths = os.pathsep.join([str(site), str(CONF.parent), os.environ.get("PYTHONPATH", "")])
    _, *arguments = shlex.split(line)
    small = SMALL if "latent_lab.train" in line else ()
    done = subprocess.run(
        [sys.executable, *arguments, *small],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_of_the_page_run(line, site, workplace):
    said = run(line, site, workplace)
    assert "latent_lab: " in said
    if "latent_lab.train" in line:
        report = Path(workplace, re.search(r"report (\S+)", said)[1])
        assert json.loads((report.parent / "metrics.json").read_text())["fast"]["draws"]["0"]["scores"]


def test_runs_of_an_extension_are_loaded_where_it_is_installed(site, workplace):
    code = (
        "from pathlib import Path; from latent_lab import load_run; "
        "runs = sorted(file.parent for file in Path('outputs').rglob('paths.safetensors')); "
        "print([type(load_run(run)[1]).__name__ for run in runs])"
    )
    assert "WavePaths" in run(f"python -c {shlex.quote(code)}", site, workplace)


def test_every_row_of_the_table_is_a_place():
    for place in re.findall(r"`((?:tests|docs|conf|latent_lab)/[\w/]+\.(?:py|md))`", PAGE):
        assert (CONF.parent / place).is_file(), place
