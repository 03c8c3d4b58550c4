"""Which flow and which regulariser: the ablation behind the default, on the embedded generator.

    python experiments/ablation/study.py [seeds=0]     ->  outputs/ablation/, outputs/ablation/table.md

Every run is `python -m latent_lab.train` with the arguments of its row; runs that exist under outputs/ablation are not
repeated.
"""

import csv
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# two thirds of the default budget; orthogonality decodes three times, not two, and gets two thirds of the steps
SHORT = ("trainer.max_steps=400", "trainer.val_check_interval=200")
PLAIN = (*SHORT, "method.objective.contrast=0", "method.objective.likelihood=0", "method.objective.length=0")
LENGTH = (*PLAIN, "method.objective.length=1")
CONTRAST = (*PLAIN, "method.objective.contrast=1")
ROWS = {
    "coupling, no regulariser": PLAIN,
    "coupling, log-det 1": (*PLAIN, "method.objective.log_det=1"),
    "coupling, length 1": LENGTH,
    "coupling, likelihood 1": (*PLAIN, "method.objective.likelihood=1"),
    "coupling, likelihood 20": (*PLAIN, "method.objective.likelihood=20"),
    "additive coupling, length 1": (*LENGTH, "flow.affine=false"),
    "ffjord T=0.1, log-det 1 (paper)": (*PLAIN, "flow=ffjord", "method.objective.log_det=1"),
    "coupling, length 1, orthogonality 3, 270 steps": (
        *LENGTH,
        "trainer.max_steps=270",
        "trainer.val_check_interval=135",
        "method.objective.orthogonality=3",
    ),
    "coupling, length 1, contrast 0.2 (default)": (*LENGTH, "method.objective.contrast=0.2"),
    "coupling, length 1, contrast 1": (*CONTRAST, "method.objective.length=1"),
    "coupling 8 x 64, likelihood 1, contrast 1": (
        *CONTRAST,
        "trainer.gradient_clip_val=1",
        "flow.layers=8",
        "flow.width=64",
        "method.objective.likelihood=1",
    ),
}
# column: where it comes from, and how it is shown
COLUMNS = {
    "RCA as trained": ("curve", "val/accuracy", "{:.3f}"),
    "RCA at equal length": ("curve", "val/accuracy_at_length", "{:.3f}"),
    "edit length per eps": ("curve", "val/length/per_amount", "{:.2f}"),
    "outside prior (training edits)": ("curve", "val/prior/outside_99.9_shell", "{:.3f}"),
    "commutativity, latent, at length 6": ("score", "commutativity/swap/latents", "{:.1e}"),
    "return, latent": ("score", "commutativity/return/latents", "{:.1e}"),
    "commutativity, image": ("score", "commutativity/swap/images", "{:.1e}"),
    "radius ratio at length 6": ("score", "prior/radius_ratio", "{:.2f}"),
    "outside prior at length 6": ("score", "prior/outside_99.9_shell", "{:.2f}"),
    "selectivity": ("score", "selectivity/0.5", "{:.3f}"),
}


def train(row: str, seed: int) -> Path:
    """The run's folder, trained now if it is not there."""
    slug = "".join(letter if letter.isalnum() else "-" for letter in row)
    folder = ROOT / "outputs" / "ablation" / f"{slug}-s{seed}"
    if not (folder / "report.html").exists():
        command = [
            sys.executable,
            "-m",
            "latent_lab.train",
            *ROWS[row],
            f"seed={seed}",
            "logger=csv",
            f"target={folder}",
        ]
        if (folder / "config.yaml").exists():
            command = [sys.executable, "-m", "latent_lab.train", f"run={folder}"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


def measured(folder: Path) -> dict[str, float]:
    """The row's numbers of one run: the last validation and the evaluation."""
    scores = json.loads((folder / "metrics.json").read_text())["fast"]["draws"]["0"]["scores"]
    with (folder / "metrics.csv").open() as stream:
        last = [row for row in csv.DictReader(stream) if row["val/accuracy"]][-1]
    return {
        name: float(last[key]) if kind == "curve" else scores[key]["mean"] for name, (kind, key, _) in COLUMNS.items()
    }


def cell(values: list[float], form: str) -> str:
    """Mean over seeds, with the range where there are several."""
    text = form.format(statistics.mean(values))
    return text if len(values) == 1 else f"{text} ({form.format(min(values))} to {form.format(max(values))})"


def main() -> None:
    seeds = [int(seed) for seed in dict(argument.split("=") for argument in sys.argv[1:]).get("seeds", "0").split(",")]
    forms = {name: form for name, (_, _, form) in COLUMNS.items()}
    lines = ["| | " + " | ".join(forms) + " |", "|---" * (len(forms) + 1) + "|"]
    for row in ROWS:
        runs = [measured(train(row, seed)) for seed in seeds]
        lines.append(
            f"| {row} | " + " | ".join(cell([run[name] for run in runs], form) for name, form in forms.items()) + " |"
        )
        print(lines[-1], flush=True)
    lines += ["", f"Seeds {seeds}; mean (range) over seeds. Arguments of each row:", ""]
    lines += [f"- {row}: `{' '.join(arguments)}`" for row, arguments in ROWS.items()]
    (ROOT / "outputs" / "ablation" / "table.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
