"""Edits of a region of the face: ReSeFa beside SeFa and GANSpace, on MobileStyleGAN (make faces).

    python experiments/regions/study.py [gan=mobilestylegan_256] [seed=0] [choose=8] [latents=16] [length=3] [any
    argument of latent_lab.train]

Fits what is missing under outputs/regions/<gan>: ganspace, sefa, interfacegan, and resefa for each region, each scored
by evaluation=faces. Then of every region each method's best path, chosen on some latents, is measured on others: the
mean squared change of a pixel within the region over that outside it, after edits of one realised length, on the
generator's preview. Writes the table, and a picture of the best paths of each region, to docs/results/regions/.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from latent_lab import load_run
from latent_lab.attributes.faces.selfie import PersonMask
from latent_lab.edits.lengths import find_amounts
from latent_lab.edits.moves import Moves
from latent_lab.figures.strips import Strip, draw_strips
from latent_lab.methods.regional import measure_region_changes
from latent_lab.ops.region import region_masks
from latent_lab.workflows.build import build_space, preview_of

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "docs" / "results" / "regions"
# top, left, bottom, right in shares of an image that is aligned as FFHQ's
BOXES = {"mouth": [0.64, 0.35, 0.79, 0.65], "eyes": [0.42, 0.24, 0.55, 0.76], "hair": [0.0, 0.1, 0.27, 0.9]}
BACKGROUND = "{_target_: latent_lab.attributes.faces.selfie.PersonMask, background: true}"


def fitted(gan: str, seed: int, rest: list[str]) -> dict[str, Path]:
    """The folder of each run by label; those that are missing are made."""
    wanted = {name: [f"method={name}"] for name in ("sefa", "ganspace")}
    # a Jacobian product of a photograph costs seconds here: few directions that matter, few images (the paper takes
    # one)
    few = ["method=resefa", "method.num_paths=8", "method.rank=32", "method.held_out=4", "method.chunk=2"]
    wanted |= {f"resefa, {name}": [*few, "method.samples=2", f"method.region={box}"] for name, box in BOXES.items()}
    # a predictor of masks reads the generator's own images, not its preview's
    wanted["resefa, background"] = [*few, "method.samples=1", f"method.region={BACKGROUND}"]
    # a photograph costs half a second here: a tenth of the default's samples, more of them extremes
    wanted["interfacegan"] = [
        "method=interfacegan",
        "method.num_samples=1000",
        "method.share=0.15",
        "method.batch_size=8",
    ]
    found = {}
    for label, arguments in wanted.items():
        found[label] = folder = ROOT / "outputs" / "regions" / gan / f"{label.replace(', ', '-')}-s{seed}"
        if (folder / "report.html").exists():
            continue
        new = [
            *arguments,
            f"gan={gan}",
            "evaluation=faces",
            f"label='{label}'",
            f"seed={seed}",
            "logger=csv",
            f"target={folder}",
            *rest,
        ]
        begun = (folder / "config.yaml").exists()
        subprocess.run(
            [sys.executable, "-m", "latent_lab.train", *([f"run={folder}"] if begun else new)], cwd=ROOT, check=True
        )
    return found


@torch.no_grad()
def strip(space, paths, codes, k: int, amounts: list[float]) -> torch.Tensor:
    """Images of one code after edits of these realised lengths."""
    images = []
    for amount in amounts:
        chosen, wanted = torch.tensor([k]), torch.tensor([abs(amount)])
        sign = torch.tensor([1.0 if amount >= 0 else -1.0])
        eps = find_amounts(space, paths, Moves(codes, chosen, sign), wanted)
        images.append(space.decode(codes.moved(paths.shift(codes.latents, chosen, eps, codes.given))))
    return torch.cat(images)


def main() -> None:
    own = {"gan": "mobilestylegan_256", "seed": "0", "choose": "8", "latents": "16", "length": "3"}
    given = [argument.partition("=") for argument in sys.argv[1:]]
    rest = ["=".join((key, value)) for key, _, value in given if key not in own]
    own |= {key: value for key, _, value in given if key in own}
    choose, length, seed = int(own["choose"]), float(own["length"]), int(own["seed"])
    folders = fitted(own["gan"], seed, rest)

    runs = {label: load_run(folder) for label, folder in folders.items() if label != "interfacegan"}
    space = runs["sefa"][0]
    config = OmegaConf.load(folders["sefa"] / "config.yaml")
    preview = preview_of(config.gan)
    small = space if preview is None else build_space(preview, seed, compile=False)
    codes = space.sample(choose + int(own["latents"]), torch.Generator().manual_seed(10_000 + seed))
    masks = {name: region_masks(box, small, codes) for name, box in BOXES.items()}
    size = (small.generator.resolution,) * 2
    masks["background"] = F.interpolate(
        region_masks(PersonMask(background=True), space, codes), size, mode="bilinear", antialias=True
    )

    TARGET.mkdir(parents=True, exist_ok=True)
    lines = [
        "Change within the region over that outside it, mean square of a pixel, "
        f"{len(codes) - choose} held-out latents, edits of length {length:g}.",
        "",
        "| region | method | best path | of the best path | mean of the first three paths |",
        "|---|---|---|---|---|",
    ]
    amounts = [-length, -length / 2, 0.0, length / 2, length]
    for region, mask in masks.items():
        rows = []
        for label, (_, paths, _) in runs.items():
            if label.startswith("resefa") and label != f"resefa, {region}":
                continue
            first, others = (
                measure_region_changes(small, paths, codes.select(part), mask[part], length)
                for part in (slice(0, choose), slice(choose, None))
            )
            best, ratios = int((first[:, 0] / first[:, 1]).argmax()), others[:, 0] / others[:, 1]
            lines.append(f"| {region} | {label} | {best + 1} | {ratios[best]:.3g} | {ratios[:3].mean():.3g} |")
            print(lines[-1], flush=True)
            rows += [
                Strip(label if n == 0 else "", strip(space, paths, codes.select(slice(n, n + 1)), best, amounts))
                for n in range(2)
            ]
        draw_strips(rows, amounts, "length of the edit").savefig(TARGET / f"{region}.png", dpi=80)
    (TARGET / "ratios.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
