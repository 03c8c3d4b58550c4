"""The three methods, and the ablation that chose the default flow, on the embedded generator.

    python experiments/embedded/study.py methods seeds=0,1,2     ->  outputs/study/methods.md
    python experiments/embedded/study.py ablation seeds=0        ->  outputs/study/ablation.md

Every run is `python -m latent_lab.train` with the arguments of its row; runs that exist under outputs/study are not repeated.
"""

import csv
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# the ablation runs at two thirds of the default budget; orthogonality decodes three times, not two, and gets two thirds of the steps
SHORT = ("trainer.max_steps=400", "trainer.val_check_interval=200")
STUDIES = {
    "methods": {
        "linear, orthogonal A": ("method=linear",),
        "linear, free A": ("method=linear", "method.paths.kind=free"),
        "warped": ("method=warped",),
        "curvilinear (default)": (),
    },
    "ablation": {
        "coupling, no regulariser": (*SHORT, "method.objective.length=0"),
        "coupling, log-det 1": (*SHORT, "method.objective.length=0", "method.objective.log_det=1"),
        "coupling, length 1": (*SHORT, "method.objective.length=1"),
        "coupling, likelihood 1": (*SHORT, "method.objective.length=0", "method.objective.likelihood=1"),
        "coupling, likelihood 20": (*SHORT, "method.objective.length=0", "method.objective.likelihood=20"),
        "additive coupling, length 1": (*SHORT, "method.objective.length=1", "flow.affine=false"),
        "ffjord T=0.1, log-det 1 (paper)": (*SHORT, "flow=ffjord", "method.objective.length=0", "method.objective.log_det=1"),
        "coupling, length 1, orthogonality 3, 270 steps": (
            "trainer.max_steps=270",
            "trainer.val_check_interval=135",
            "method.objective.orthogonality=3",
        ),
    },
}
# column: where it comes from, and how it is shown
COLUMNS = {
    "RCA as trained": ("curve", "val/accuracy", "{:.3f}"),
    "RCA at equal length": ("curve", "val/accuracy_at_length", "{:.3f}"),
    "edit length per eps": ("curve", "val/edit_length", "{:.2f}"),
    "outside prior (training edits)": ("curve", "val/outside_prior", "{:.3f}"),
    "commutativity, latent, at length 6": ("score", "commutativity/swap/latents", "{:.1e}"),
    "return, latent": ("score", "commutativity/return/latents", "{:.1e}"),
    "commutativity, image": ("score", "commutativity/swap/images", "{:.1e}"),
    "radius ratio at length 6": ("score", "prior/radius_ratio", "{:.2f}"),
    "outside prior at length 6": ("score", "prior/outside_99_shell", "{:.2f}"),
    "side effects [%]": ("score", "side_effects/mean", "{:.0f}"),
    "purity": ("score", "side_effects/purity", "{:.3f}"),
}


def train(study: str, row: str, arguments: tuple[str, ...], seed: int) -> Path:
    """The run's folder, trained now if it is not there."""
    slug = "".join(letter if letter.isalnum() else "-" for letter in row)
    folder = ROOT / "outputs" / "study" / study / f"{slug}-s{seed}"
    if not (folder / "report.html").exists():
        command = [sys.executable, "-m", "latent_lab.train", *arguments, f"seed={seed}", "logger=csv", f"hydra.run.dir={folder}"]
        if (folder / "config.yaml").exists():
            command = [sys.executable, "-m", "latent_lab.train", f"run={folder}"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


def measured(folder: Path) -> dict[str, float]:
    """The row's numbers of one run: the last validation and the evaluation."""
    scores = json.loads((folder / "metrics.json").read_text())["scores"]
    with (folder / "metrics.csv").open() as stream:
        last = [row for row in csv.DictReader(stream) if row["val/accuracy"]][-1]
    return {name: float(last[key]) if kind == "curve" else scores[key]["mean"] for name, (kind, key, _) in COLUMNS.items()}


def cell(values: list[float], form: str) -> str:
    """Mean over seeds, with the range where there are several."""
    text = form.format(statistics.mean(values))
    return text if len(values) == 1 else f"{text} ({form.format(min(values))} to {form.format(max(values))})"


def main() -> None:
    study = sys.argv[1] if len(sys.argv) > 1 else ""
    if study not in STUDIES:
        sys.exit(f"study must be one of {list(STUDIES)}, got {study!r}")
    seeds = [int(seed) for seed in dict(argument.split("=") for argument in sys.argv[2:]).get("seeds", "0").split(",")]
    forms = {name: form for name, (_, _, form) in COLUMNS.items()}
    results = {}
    for row, arguments in STUDIES[study].items():
        runs = [measured(train(study, row, arguments, seed)) for seed in seeds]
        results[row] = {name: cell([run[name] for run in runs], form) for name, form in forms.items()}
        print(row, results[row], flush=True)
    lines = ["| | " + " | ".join(forms) + " |", "|---" * (len(forms) + 1) + "|"]
    lines += [f"| {row} | " + " | ".join(values.values()) + " |" for row, values in results.items()]
    arguments = [f"- {row}: `{' '.join(arguments) or '(no argument)'}`" for row, arguments in STUDIES[study].items()]
    target = ROOT / "outputs" / "study" / f"{study}.md"
    target.write_text("\n".join([*lines, "", f"Seeds {seeds}; mean (range) over seeds. Arguments of each column:", "", *arguments, ""]))
    print(target)


if __name__ == "__main__":
    main()
