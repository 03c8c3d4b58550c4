"""The study of Deep Curvilinear Editing: methods x seeds on one generator, fitted, evaluated in full, collected.

    python experiments/decurved/study.py gan=sngan_mnist [seeds=0,1,2] [methods=linear/warped] [evaluation=full]
    [jobs=2]
        [launcher=slurm] [any argument of latent_lab.train]

Fits what is missing under outputs/decurved/<gan>, evaluates what has no scores of this evaluation, and compares. The
tables and the figure of the paper are then one command each, beside this file: commutativity_table.py,
side_effect_table.py, identity_table.py, sequential_figure.py, with the same gan= and evaluation=.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from latent_lab.evaluation.intervals import interval

ROOT = Path(__file__).resolve().parents[2]
METHODS = {
    "random": ("method=random",),
    "linear": ("method=linear",),
    "warped": ("method=warped",),
    "curvilinear": ("method=curvilinear", "method.objective.contrast=0"),
    "linear, contrast": ("method=linear", "method.objective.contrast={contrast}"),
    "curvilinear, contrast": ("method=curvilinear", "method.objective.contrast={contrast}"),
}
CONTRAST = {"shapes": 1.0}  # as many paths as latent coordinates; elsewhere 0.2, above which a path is easily invisible


def options() -> tuple[dict[str, str], list[str]]:
    """The study's own options, and what it hands on to the training."""
    own = {
        "gan": "sngan_mnist",
        "seeds": "0,1,2",
        "methods": "/".join(METHODS),
        "evaluation": "full",
        "jobs": "2",
        "launcher": "local",
    }
    rest = []
    for argument in sys.argv[1:]:
        key, _, value = argument.partition("=")
        if key in own:
            own[key] = value
        else:
            rest.append(argument)
    return own, rest


def folder_of(gan: str, label: str, seed: int) -> Path:
    return ROOT / "outputs" / "decurved" / gan / f"{label.replace(', ', '-').replace(' ', '-')}-s{seed}"


def run(module: str, *arguments: str) -> None:
    """A command of latent_lab on one thread, with its output in outputs/decurved/log.txt."""
    log = ROOT / "outputs" / "decurved" / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as stream:
        command = [sys.executable, "-m", f"latent_lab.{module}", *arguments]
        environment = {"OMP_NUM_THREADS": "1"} | os.environ
        subprocess.run(command, cwd=ROOT, stdout=stream, stderr=stream, check=True, env=environment)


def fit_and_score(own: dict[str, str], label: str, seed: int, rest: list[str]) -> Path:
    """One run, made if it is not there, with its evaluation."""
    gan, launcher = own["gan"], own["launcher"]
    folder = folder_of(gan, label, seed)
    method = [argument.format(contrast=CONTRAST.get(gan, 0.2)) for argument in METHODS[label]]
    if not (folder / "paths.safetensors").exists():
        if (folder / "config.yaml").exists():
            run("train", f"run={folder}")
        elif launcher == "local":
            run(
                "train",
                f"gan={gan}",
                *method,
                f"label='{label}'",
                f"seed={seed}",
                "logger=csv",
                f"target={folder}",
                *rest,
            )
        else:  # a sweep of one job, so that the cluster's launcher takes it and requeues it
            where = (f"hydra.sweep.dir={folder.parent}", f"hydra.sweep.subdir={folder.name}", f"launcher={launcher}")
            run("train", "-m", f"gan={gan}", *method, f"label='{label}'", f"seed={seed}", "logger=csv", *where, *rest)
    if own["evaluation"] not in json.loads((folder / "metrics.json").read_text()):
        run("evaluate", f"run={folder}", f"evaluation={own['evaluation']}", "logger=[]")
    print(folder.name, flush=True)
    return folder


def results() -> dict[str, list[dict]]:
    """The evaluations that are there, by method, with seed and folder."""
    gan, evaluation = options()[0]["gan"], options()[0]["evaluation"]
    found: dict[str, list[dict]] = {}
    for label in METHODS:
        for seed in range(100):
            file = folder_of(gan, label, seed) / "metrics.json"
            result = json.loads(file.read_text()).get(evaluation) if file.exists() else None
            if result:
                found.setdefault(label, []).append(result | {"seed": seed, "folder": file.parent})
    if not found:
        sys.exit(
            f"no evaluated runs under outputs/decurved/{gan}: make them with python experiments/decurved/study.py "
            f"gan={gan}"
        )
    return found


def mean_and_half(values: list[float | None]) -> str:
    """Mean over seeds and half its 95 % interval."""
    mean, half = interval([value for value in values if value is not None])
    if mean != mean:
        return "not reached"
    return f"{mean:.3g}" + (f" ± {half:.2g}" if half == half else "")


def score(result: dict, name: str) -> float | None:
    return result["scores"].get(name, {}).get("mean")


def write(gan: str, name: str, lines: list[str]) -> None:
    """Prints the table and keeps it in docs/results/decurved/."""
    target = ROOT / "docs" / "results" / "decurved"
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{gan}_{name}.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def main() -> None:
    own, rest = options()
    jobs = [(label, int(seed)) for seed in own["seeds"].split(",") for label in own["methods"].split("/")]
    with ThreadPoolExecutor(int(own["jobs"])) as pool:
        list(pool.map(lambda job: fit_and_score(own, *job, rest), jobs))
    target = ROOT / "outputs" / "decurved" / f"compare-{own['gan']}"
    if not target.exists():
        run(
            "compare",
            f"run={ROOT}/outputs/decurved/{own['gan']}/*",
            f"target={target}",
            f"protocol={own['evaluation']}",
        )
    print((target / f"{own['gan']}.md").read_text())


if __name__ == "__main__":
    main()
