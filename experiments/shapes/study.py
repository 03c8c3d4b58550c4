"""Which objective and which kind of paths identify known factors, over how strongly the latent mixes them.

    python experiments/shapes/study.py [jobs=2] [seeds=5] [others=3]   ->  outputs/shapes/, docs/results/shapes.md,
    shapes.png

Every run is `python -m latent_lab.train gan=shapes` with the arguments of its row, on one thread; runs that exist are
not repeated. `seeds` are those of the comparison at mixing 0.5, `others` those of every other cell. Success is a paired
interval over seeds that excludes 0: curvilinear against linear and warped at mixing 0.5.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from matplotlib.figure import Figure

from latent_lab.evaluation.intervals import interval

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = (
    *("trainer.max_steps=1500", "trainer.val_check_interval=500", "method.batch_size=48"),
    *("method.objective.length=0", "method.objective.contrast=0"),
)
CONTRAST = (*PUBLISHED, "method.objective.contrast=1", "method.pool=4096", "trainer.gradient_clip_val=1")
# without clipping these flows diverge in some runs: their scales explode near step 300 to 400
FLOW = (
    "method=curvilinear",
    "flow=coupling",
    "flow.layers=8",
    "flow.width=64",
    *PUBLISHED,
    "trainer.gradient_clip_val=1",
)
ROWS = {
    "random basis": ("method=random",),
    "linear, published": ("method=linear", *PUBLISHED),
    "warped, published": ("method=warped", *PUBLISHED),
    "curvilinear, published": (*FLOW, "method.objective.log_det=1"),
    "curvilinear, published and length": (*FLOW, "method.objective.length=1"),
    "linear, contrast": ("method=linear", *CONTRAST),
    "warped, contrast": ("method=warped", *CONTRAST),
    "curvilinear, contrast": (*FLOW, *CONTRAST, "method.objective.likelihood=1"),
}
SHOWN = {
    "RCA": ("curve", "val/accuracy_at_length"),
    "purity": ("score", "recovery/purity"),
    "side effects [%]": ("score", "recovery/side_effects"),
    "selectivity": ("score", "selectivity/0.5"),
    "matched R2": ("score", "recovery/r2"),
    "latent commutativity": ("score", "commutativity/swap/latents"),
}


def train(row: str, mixing: float, seed: int) -> Path:
    """The run's folder, trained now if it is not there."""
    folder = ROOT / "outputs" / "shapes" / f"{row.replace(', ', '-').replace(' ', '-')}-m{mixing:g}-s{seed}"
    if not (folder / "report.html").exists():
        arguments = [
            *("gan=shapes", f"gan.generator.mixing={mixing}", *ROWS[row], f"seed={seed}", "logger=csv"),
            *("evaluation.prior_latents=1000", "evaluation.num_latents=256", f"target={folder}"),
        ]
        if (folder / "config.yaml").exists():
            arguments = [f"run={folder}"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        log = (ROOT / "outputs" / "shapes").joinpath(f"{folder.name}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as stream:
            command = [sys.executable, "-m", "latent_lab.train", *arguments]
            ended = subprocess.run(command, cwd=ROOT, stdout=stream, stderr=stream, env=environment)
        print(folder.name, "failed, see its log" if ended.returncode else "", flush=True)
    return folder


def value(folder: Path, kind: str, key: str) -> float:
    """A score of a run, or the last validation's."""
    if not (folder / "report.html").exists():
        return float("nan")
    if kind == "score":
        score = json.loads((folder / "metrics.json").read_text())["fast"]["draws"]["0"]["scores"].get(key)
        return float("nan") if score is None or score["mean"] is None else score["mean"]
    import csv

    file = folder / "metrics.csv"
    rows = [row for row in csv.DictReader(file.open()) if row.get(key)] if file.exists() else []
    return float(rows[-1][key]) if rows else float("nan")


def main() -> None:
    options = {"jobs": "2", "seeds": "5", "others": "3"} | dict(argument.split("=", 1) for argument in sys.argv[1:])
    seeds, others = int(options["seeds"]), int(options["others"])
    contrast = [row for row in ROWS if "contrast" in row]
    plan = [(row, 0.5, seed) for seed in range(seeds) for row in contrast]
    plan += [(row, mixing, 0) for mixing in (0.0, 0.25, 0.5, 1.0) for row in ["random basis"]]
    plan += [
        (row, mixing, seed) for seed in range(others) for mixing in (0.5, 0.0) for row in ROWS if "published" in row
    ]
    plan += [(row, mixing, seed) for seed in range(others) for mixing in (0.0, 1.0, 0.25) for row in contrast]
    with ThreadPoolExecutor(int(options["jobs"])) as pool:
        folders = dict(zip(plan, pool.map(lambda one: train(*one), plan)))

    lines = ["| paths, objective | mixing | seeds | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 3) + "|"]
    for row in ROWS:
        for mixing in (0.0, 0.25, 0.5, 1.0):
            runs = [folders[one] for one in plan if one[:2] == (row, mixing)]
            if runs:
                cells = [interval([value(run, *where) for run in runs]) for where in SHOWN.values()]
                texts = [
                    "" if mean != mean else f"{mean:.3g}" + (f" ± {half:.2g}" if half == half else "")
                    for mean, half in cells
                ]
                lines.append(f"| {row} | {mixing:g} | {len(runs)} | " + " | ".join(texts) + " |")
    lines.append("")
    for other in ("linear, contrast", "warped, contrast"):
        for name in ("purity", "side effects [%]", "at equal change [%]"):
            pairs = [
                value(folders["curvilinear, contrast", 0.5, seed], *SHOWN[name])
                - value(folders[other, 0.5, seed], *SHOWN[name])
                for seed in range(seeds)
            ]
            mean, half = interval(pairs)
            verdict = "excludes 0" if abs(mean) > half else "does not exclude 0"
            lines.append(
                f"- {name}, curvilinear minus {other.split(',')[0]} at mixing 0.5, {seeds} seeds: "
                f"{mean:.3g} ± {half:.2g}, {verdict}"
            )
    target = ROOT / "docs" / "results"
    (target / "shapes.md").write_text("\n".join(lines) + "\n")

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, name in zip(figure.subplots(1, 3), ("purity", "side effects [%]", "matched R2")):
        # a row has one colour, also where a panel lacks another row
        for number, row in enumerate(("random basis", *contrast)):
            points = {}
            for one in plan:
                if one[0] == row:
                    points.setdefault(one[1], []).append(value(folders[one], *SHOWN[name]))
            points = {mixing: interval(values) for mixing, values in sorted(points.items()) if values[0] == values[0]}
            if points:
                means, halves = zip(*points.values())
                halves = [half if half == half else 0 for half in halves]
                axes.errorbar(
                    list(points), means, halves, marker="o", markersize=3, capsize=2, label=row, color=f"C{number}"
                )
        axes.set_xlabel("mixing")
        axes.set_title(name, fontsize=10)
        axes.grid(alpha=0.3)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8, frameon=False
    )
    figure.savefig(target / "shapes.png", dpi=110)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
