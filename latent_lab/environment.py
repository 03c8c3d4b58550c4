"""The environment of a run: all that its numbers depend on besides the configuration."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

import torch


def describe_environment() -> dict[str, object]:
    """Return versions, commit, threads and device, which numbers depend on besides the configuration."""
    from importlib.metadata import PackageNotFoundError, version

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    def git(*arguments: str) -> str | None:
        answer = (
            subprocess.run(
                ["git", "-C", str(Path(__file__).parent), *arguments], capture_output=True, text=True, check=False
            )
            if Path(__file__).parent.parent.joinpath(".git").exists()
            else None
        )
        return answer.stdout.strip() if answer and answer.returncode == 0 else None

    packages: Sequence[str] = (
        "latent_lab",
        "torch",
        "pytorch-lightning",
        "torchmetrics",
        "zuko",
        "hydra-core",
        "numpy",
    )
    return {
        "versions": {"python": platform.python_version()} | {name: installed(name) for name in packages},
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain", "--untracked-files=no")),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else platform.processor() or platform.machine(),
    }
