"""Real digits that no training saw: how well each inverter draws them again, and whether edits keep their class.

    python experiments/inversion/digits.py [count=200] [steps=500] [pti=20]

Inverts held-out MNIST digits with each inverter that works in z, then edits them along the named paths of InterFaceGAN
and of curvilinear paths, up and down by STRENGTHS, and asks the classifier for the class before and after; beside it
the same for samples. What is missing under outputs/inversion/ is made. Writes digits.md and digits.png in
docs/results/inversion/.
"""

from __future__ import annotations

import torch
from folders import RESULTS, folder_of, options

from latent_lab.attributes.classifier import ClassProbabilities
from latent_lab.editing.inversions import Inversions
from latent_lab.figures.page import png_bytes
from latent_lab.figures.strips import Strip, draw_rows
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.loading import load_space_and_paths
from latent_lab.naming import read_names, resolve_edit
from latent_lab.paths.base import Paths
from latent_lab.runs import Run

METHODS = ("interfacegan", "curvilinear")
STRENGTHS = (0.5, 1.0)  # standard deviations
SHOWN = 16


@torch.no_grad()
def kept(space: LatentSpace, paths: Paths, run: Run, codes: Codes, classes: ClassProbabilities, size: float) -> str:
    """The share of edits by so many standard deviations, of every named attribute and both signs, after which the class
    is the same."""
    before = classes(space.decode(codes)).argmax(1)
    same = []
    for name in read_names(run)[0]:
        for strength in (-size, size):
            edit = resolve_edit(run, paths, name, strength)
            k = torch.full((len(before),), edit.path)
            moved = paths.shift(codes.latents, k, torch.full((len(before),), edit.amount), codes.given)
            same.append((classes(space.decode(codes.moved(moved))).argmax(1) == before).float().mean())
    return f"{torch.stack(same).mean():.1%}"


def main() -> None:
    own = options(count="200", steps="500", pti="20")
    count, steps = int(own["count"]), own["steps"]
    runs = [Run.open(folder_of(method, "train", "names.json", f"method={method}", "logger=csv")) for method in METHODS]
    every = [(run, *load_space_and_paths(run)[:2]) for run in runs]
    space = every[0][1]
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
            ["inverter=pti", "inverter@inverter.pivot=i2s", *pivot, "inverter.threshold=0", "inverter.steps=100"],
        ),
    }
    titles = [
        "inverter",
        "digits",
        "PSNR [dB]",
        "SSIM",
        "identity error",
        "seconds a digit",
        "length of z",
        "class of the inversion right",
    ]
    titles += [f"class kept by {method}, {size:g} sd" for method in METHODS for size in STRENGTHS]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    samples, rows = space.sample(count, torch.Generator().manual_seed(1)), []
    for label, (num, arguments) in wanted.items():
        common = ("images=held_out", f"count={num}", "batch_size=50", "perceptual=null")
        folder = folder_of(
            f"digits-{label.replace(', ', '-').replace(' ', '-')}", "invert", "overview.png", *common, *arguments
        )
        inversions = Inversions.open(folder)
        names = inversions.list_names()
        mean = inversions.run.read_json("scores.json")["mean"]
        row = [label, str(len(names)), *(f"{mean[key]:.3g}" for key in ("psnr", "ssim", "identity_error", "seconds"))]
        codes = inversions.codes(names)
        targets = torch.stack([inversions.target(name) for name in names])
        with torch.no_grad():
            made = torch.cat(
                [
                    inversions.tuned_space(space, name).decode(codes.select(slice(i, i + 1)))
                    for i, name in enumerate(names)
                ]
            )
            right = (classes(made).argmax(1) == classes(targets).argmax(1)).float().mean().item()
        rows = [*(rows or [Strip("digit", targets[:SHOWN])]), Strip(label, made[:SHOWN])]
        row += [f"{codes.latents.norm(dim=1).mean():.2f}", f"{right:.1%}"]
        tuned = inversions.read_tuned(names[0])
        row += [
            "" if tuned else kept(there, paths, run, codes, classes, size)
            for run, there, paths in every
            for size in STRENGTHS
        ]
        lines.append(f"| {' | '.join(row)} |")
        print(lines[-1], flush=True)
    length = samples.latents.norm(dim=1).mean()
    row = [kept(there, paths, run, samples, classes, size) for run, there, paths in every for size in STRENGTHS]
    lines.append(f"| samples, for comparison | {count} | | | | | {length:.2f} | | {' | '.join(row)} |")
    (RESULTS / "digits.png").write_bytes(
        png_bytes(draw_rows(rows, [""] * min(SHOWN, int(own["pti"])), "", None, 0.5), 120)
    )
    (RESULTS / "digits.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
