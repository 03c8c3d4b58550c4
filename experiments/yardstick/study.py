"""Tables of results: methods x seeds on one generator, each scored on several draws of latents.

    python experiments/yardstick/study.py gan=sngan_mnist [rows=random/linear/...] [seeds=5] [draws=3] [jobs=2]
        [evaluation=study] [any argument of latent_lab.train]

Fits what is missing under outputs/yardstick/<gan>, scores what has no scores of a draw, and compares. It continues
where it stopped. The scores that tables are made of go to docs/results/scores/<gan>.scores.json, from which
`python -m latent_lab.compare run=<that file>` makes the same tables again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from latent_lab.components import build_component
from latent_lab.errors import NotApplicable
from latent_lab.installation import choices

ROOT = Path(__file__).resolve().parents[2]
OWN = {"gan": "sngan_mnist", "rows": "", "seeds": "5", "draws": "3", "jobs": "2", "evaluation": "study", "out": ""}
# the scores of a fit are not used, so that they cost little
UNSCORED = ("evaluation.name=fit", "evaluation.prior_latents=16", "evaluation.ranking_latents=1")
UNSCORED += ("evaluation.resamples=2", "evaluation.candidates=1", "evaluation.metrics=[ranking]")


def read_options() -> tuple[dict[str, str], list[str]]:
    """Return the study's own options, and what it hands on to the training."""
    own, rest = dict(OWN), []
    for argument in sys.argv[1:]:
        key, _, value = argument.partition("=")
        if key in own:
            own[key] = value
        else:
            rest.append(argument)
    return own, rest


def run(own: dict[str, str], module: str, *arguments: str) -> bool:
    """Run a command of latent_lab on one thread, with its output in log.txt; return whether it ended well."""
    log = ROOT / "outputs" / "yardstick" / own["gan"] / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as stream:
        command = [sys.executable, "-m", f"latent_lab.{module}", *arguments]
        environment = {"OMP_NUM_THREADS": "1"} | os.environ
        return (
            subprocess.run(command, cwd=ROOT, stdout=stream, stderr=stream, env=environment, check=False).returncode
            == 0
        )


def is_seeded(row: str) -> bool:
    """Return whether another seed gives a method another result."""
    try:
        return build_component("method", row).seeded
    except (NotApplicable, TypeError, ValueError):
        return True


def folder_of(own: dict[str, str], row: str, seed: int) -> Path:
    return ROOT / "outputs" / "yardstick" / own["gan"] / f"{row}-s{seed}"


def fit(own: dict[str, str], row: str, seed: int, rest: list[str]) -> None:
    """Fit one run unless its paths are there."""
    folder = folder_of(own, row, seed)
    if (folder / "paths.safetensors").exists():
        return
    if (folder / "config.yaml").exists():
        run(own, "train", f"run={folder}")
    else:
        start = (f"gan={own['gan']}", f"method={row}", f"label={row}", f"seed={seed}", "logger=csv", f"target={folder}")
        run(own, "train", *start, *UNSCORED, *rest)
    print("fitted" if (folder / "paths.safetensors").exists() else "no paths in", folder.name, flush=True)


def has_draw(own: dict[str, str], folder: Path, draw: int) -> bool:
    file = folder / "metrics.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    return str(draw) in found.get(own["evaluation"], {}).get("draws", {})


def score(own: dict[str, str], folders: list[Path], draw: int) -> None:
    """Score runs on one draw, in one process, so that they share its samples."""
    chosen = (f"evaluation={own['evaluation']}", f"evaluation.seed={draw}", "logger=[]")
    if folders:
        run(own, "evaluate", f"run=[{','.join(map(str, folders))}]", *chosen)
        print(f"draw {draw}: scored", *[folder.name for folder in folders], flush=True)


def main() -> None:
    """Fit, score, compare."""
    own, rest = read_options()
    rows = own["rows"].split("/") if own["rows"] else [row for row in choices("method") if row != "imported"]
    wanted = [(row, seed) for seed in range(int(own["seeds"])) for row in rows if seed == 0 or is_seeded(row)]

    jobs = int(own["jobs"])
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda job: fit(own, *job, rest), wanted))
        fitted = [one for job in wanted if ((one := folder_of(own, *job)) / "paths.safetensors").exists()]
        for draw in range(int(own["draws"])):
            missing = [folder for folder in fitted if not has_draw(own, folder, draw)]
            parts = [missing[start : start + 3] for start in range(0, len(missing), 3)]
            list(pool.map(lambda part, draw=draw: score(own, part, draw), parts))
    target = ROOT / "outputs" / "yardstick" / own["gan"] / "table"
    shutil.rmtree(target, ignore_errors=True)
    runs = ",".join(str(folder) for row, seed in wanted if (folder := folder_of(own, row, seed)).exists())
    run(own, "compare", f"run=[{runs}]", f"protocol={own['evaluation']}", "against=random", f"target={target}")
    kept = Path(own["out"] or ROOT / "docs" / "results" / "scores")
    kept.mkdir(parents=True, exist_ok=True)
    for file in target.glob("*.scores.json"):
        shutil.copy(file, kept / file.name)
    print(f"tables in {target}")


if __name__ == "__main__":
    main()
