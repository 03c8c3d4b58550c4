"""The folders of commands' runs, each made once: a study that is stopped goes on where it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTPUTS = ROOT / "outputs" / "inversion"
RESULTS = ROOT / "docs" / "results" / "inversion"


def folder_of(name: str, module: str, finished: str, *arguments: str) -> Path:
    """The folder ``outputs/inversion/<name>`` of a command, made now, or continued where it lacks the file that comes last."""
    folder = OUTPUTS / name
    if not (folder / finished).exists():
        begun = [f"run={folder}"] if (folder / "config.yaml").exists() else [*arguments, f"hydra.run.dir={folder}"]
        subprocess.run([sys.executable, "-m", f"latent_lab.{module}", *begun], cwd=ROOT, check=True)
    return folder


def options(**defaults: str) -> dict[str, str]:
    """The script's own arguments, ``name=value``."""
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    if given.keys() - defaults.keys():
        sys.exit(f"{Path(sys.argv[0]).name} takes {', '.join(f'{key}={value}' for key, value in defaults.items())}; got {sorted(given)}")
    return defaults | given
