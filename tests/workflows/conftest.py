"""Runs the real commands, in this process where that is enough and in a fresh one where it is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

TINY = (
    "debug=fast",
    "gan.weights=random",
    "gan.generator.widths=[8,8,8,8]",
    "gan.generator.latent_dim=16",
    "logger=csv",
)

DEBUG_SCORES = tuple(
    f"evaluation.{option}"
    for option in (
        *(
            "num_paths=2",
            "prior_latents=16",
            "ranking_latents=2",
            "matrix_latents=2",
            "resamples=20",
            "batch_size=16",
            "strip_steps=3",
        ),
        *(
            "num_latents=8",
            "metrics.held_out.steps=4",
            "metrics.held_out.num=16",
            "metrics.naturalness.steps=2",
            "metrics.quality.num=16",
        ),
    )
)

CHEAP = tuple(f"evaluation.metrics.{name}=null" for name in ("held_out", "naturalness", "quality"))  # without these


def newest_run(folder: Path) -> Path:
    return max((file.parent for file in folder.rglob("config.yaml")), key=lambda run: run.stat().st_ctime_ns)


@pytest.fixture(autouse=True)
def quick(undrawn):
    """Runs are short; see :func:`undrawn`."""


@pytest.fixture
def train(tmp_path, monkeypatch):
    """``train("method=linear", ...)`` runs the command in ``tmp_path`` on a tiny generator and returns its folder."""
    from latent_lab import train as command

    monkeypatch.chdir(tmp_path)
    # it takes coverage for one and shows tracebacks
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)

    def run(*arguments: str, tiny: bool = True) -> Path:
        monkeypatch.setattr(sys, "argv", ["latent_lab.train", *(TINY if tiny else ()), *arguments])
        GlobalHydra.instance().clear()
        command.main()
        return newest_run(tmp_path)

    return run


@pytest.fixture
def no_scores(monkeypatch):
    """For tests of the fit alone: the paths are written, nothing is scored or drawn."""
    from latent_lab.workflows import discover

    monkeypatch.setattr(discover, "score", lambda *arguments: None)


def start(folder: Path, *arguments: str, module: str = "latent_lab.train", **variables: str) -> subprocess.Popen:
    """The command in a process of its own, with its output piped."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"} | variables
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    # a shell's background job ignores Ctrl-C, and so would its children
    listen = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=folder, env=environment, **pipes)
    finally:
        signal.signal(signal.SIGINT, listen)


def finish(process: subprocess.Popen, timeout: float = 150) -> str:
    """Its output, once it has ended well."""
    output, _ = process.communicate(timeout=timeout)
    assert process.returncode == 0, output
    return output
