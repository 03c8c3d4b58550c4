"""Real digits that no training saw: how well each inverter draws them again, and whether edits keep their class.

    python experiments/inversion/digits.py [count=200] [steps=500] [run=<folder of a run on sngan_mnist>] [pti=20]

Inverts held-out MNIST digits with each inverter that works in z (what is missing under outputs/inversion/), then edits them along
the paths of a run (by default InterFaceGAN's, fitted if it is missing) by one standard deviation up and down of each attribute, and
asks the classifier for the class before and after; beside it the same for samples. Writes docs/results/inversion/digits.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import torch

from latent_lab.attributes.classifier import ClassProbabilities
from latent_lab.gans.space import Codes
from latent_lab.runs import Run
from latent_lab.workflows.build import space_and_paths
from latent_lab.workflows.inversions import Inversions
from latent_lab.workflows.naming import edit_of, names_of

ROOT = Path(__file__).resolve().parents[2]
OUTPUTS = ROOT / "outputs" / "inversion"


def command(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", f"latent_lab.{module}", *arguments], cwd=ROOT, check=True)


def inverted(label: str, count: int, *arguments: str) -> Inversions:
    """The folder of an inversion, made if it is not there."""
    folder = OUTPUTS / f"digits-{label}"
    if not (folder / "scores.json").exists():
        begun = [f"run={folder}"] if (folder / "config.yaml").exists() else None
        new = ["images=held_out", f"count={count}", "batch_size=50", "perceptual=null", *arguments, f"hydra.run.dir={folder}"]
        command("invert", *(begun or new))
    return Inversions.open(folder)


@torch.no_grad()
def kept(space, paths, run: Run, codes: Codes, classes: ClassProbabilities) -> float:
    """The share of edits by one standard deviation, of every named attribute and both signs, after which the class is the same."""
    before = classes(space.decode(codes)).argmax(1)
    same = []
    for name in names_of(run)[0]:
        for strength in (-1.0, 1.0):
            edit = edit_of(run, paths, name, strength)
            k = torch.full((len(before),), edit.path)
            moved = paths.shift(codes.latents, k, torch.full((len(before),), edit.amount), codes.given)
            same.append((classes(space.decode(codes.moved(moved))).argmax(1) == before).float().mean())
    return torch.stack(same).mean().item()


def main() -> None:
    own = {"count": "200", "steps": "500", "run": str(OUTPUTS / "interfacegan"), "pti": "20"}
    own |= dict(argument.split("=", 1) for argument in sys.argv[1:])
    count, steps = int(own["count"]), own["steps"]
    if not (Path(own["run"]) / "names.json").exists():
        command("train", "method=interfacegan", "logger=csv", f"hydra.run.dir={own['run']}")
    run = Run.open(own["run"])
    space, paths, _ = space_and_paths(run)
    classes = ClassProbabilities("mnist_classifier", [str(digit) for digit in range(10)])

    i2s = ["inverter=i2s", f"inverter.steps={steps}", "inverter.lr=0.05", "inverter.candidates=64"]
    near = [*i2s, "inverter.prior=0.01"]
    pivot = [f"inverter.pivot.{option.removeprefix('inverter.')}" for option in i2s[1:]]
    wanted = {
        "i2s": (count, i2s),
        "i2s, prior 0.01": (count, near),
        "projector": (count, ["inverter=projector", f"inverter.steps={steps}", "inverter.pixels=1"]),
        "pti on i2s": (
            int(own["pti"]),
            ["inverter=pti", "inverter/i2s@inverter.pivot=i2s", *pivot, "inverter.threshold=0", "inverter.steps=100"],
        ),
    }
    lines = [
        "| inverter | digits | PSNR [dB] | SSIM | identity error | seconds a digit | length of z | class of the inversion right | class kept by edits |"
    ]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    samples = space.sample(count, torch.Generator().manual_seed(1))
    for label, (num, arguments) in wanted.items():
        inversions = inverted(label.replace(", ", "-").replace(" ", "-"), num, *arguments)
        names = inversions.names()
        mean = json.loads((inversions.run.folder / "scores.json").read_text())["mean"]
        row = [label, str(len(names)), *(f"{mean[key]:.3g}" for key in ("psnr", "ssim", "identity_error", "seconds"))]
        codes = inversions.codes(names)
        targets = torch.stack([inversions.target(name) for name in names])
        with torch.no_grad():
            made = torch.cat([inversions.tuned_space(space, name).decode(codes.select(slice(i, i + 1))) for i, name in enumerate(names)])
            right = (classes(made).argmax(1) == classes(targets).argmax(1)).float().mean().item()
        row += [f"{codes.latents.norm(dim=1).mean():.2f}", f"{right:.1%}"]
        row += ["" if inversions.tuned(names[0]) else f"{kept(space, paths, run, codes, classes):.1%}"]
        lines.append(f"| {' | '.join(row)} |")
        print(lines[-1], flush=True)
    length = samples.latents.norm(dim=1).mean()
    lines.append(f"| samples, for comparison | {count} | | | | | {length:.2f} | | {kept(space, paths, run, samples, classes):.1%} |")
    target = ROOT / "docs" / "results" / "inversion" / "digits.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
