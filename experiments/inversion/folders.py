"""What the studies share: the folders of commands' runs, each made once, so that a study that is stopped goes on;
arguments; small pictures."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
OUTPUTS = ROOT / "outputs" / "inversion"
RESULTS = ROOT / "docs" / "results" / "inversion"


def folder_of(name: str, module: str, finished: str, *arguments: str) -> Path:
    """The folder ``outputs/inversion/<name>`` of a command, made now, or continued where it lacks the file that comes
    last."""
    folder = OUTPUTS / name
    if not (folder / finished).exists():
        begun = [f"run={folder}"] if (folder / "config.yaml").exists() else [*arguments, f"target={folder}"]
        subprocess.run([sys.executable, "-m", f"latent_lab.{module}", *begun], cwd=ROOT, check=True)
    return folder


def options(**defaults: str) -> dict[str, str]:
    """The script's own arguments, ``name=value``."""
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    if given.keys() - defaults.keys():
        sys.exit(
            f"{Path(sys.argv[0]).name} takes {', '.join(f'{key}={value}' for key, value in defaults.items())}; "
            f"got {sorted(given)}"
        )
    return defaults | given


def publish(picture: Path | io.BytesIO, name: str) -> None:
    """A picture among the results, small."""
    with Image.open(picture) as opened:
        whole = opened.convert("RGB")
    whole.thumbnail((810, 810), Image.Resampling.LANCZOS)
    whole.quantize(256, dither=Image.Dither.NONE).save(RESULTS / f"{name}.png", optimize=True)
