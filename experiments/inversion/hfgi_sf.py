"""Does HFGI-SF leave less of a ghost than HFGI on large changes of the view, and what does it cost?

    python experiments/inversion/hfgi_sf.py [trainer=gpu|cpu] [images=200] [seed=0]   ->
    docs/results/inversion/hfgi_sf.md, hfgi_sf.png

Needs `make faces`; trainer=cpu is a thin budget. Trains on gan=mobilestylegan_256, each run once: an encoder (e4e),
HFGI on it, the fusion network of person and background, and the direction of yaw (InterFaceGAN). Then samples that no
training has seen are inverted by the encoder, turned by YAW degrees to either side, and corrected. The sign and size of
the amount are measured, not assumed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import latent_lab.cpu_torchvision  # noqa: F401  (before torchmetrics)

import torch
import torch.nn.functional as F
from folders import RESULTS, folder_of, options, publish
from matplotlib.figure import Figure
from torch import Tensor, nn

from latent_lab.figures.page import png_bytes
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.fusion.hfgi_sf import HFGISF
from latent_lab.metrics.bootstrap import Bootstrap
from latent_lab.metrics.ghosting import ghosting_error
from latent_lab.ops.psnr import psnr
from latent_lab.ops.streams import stream
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import LayerwisePaths

GAN, YAW, AMOUNTS, HELD_OUT = "gan=mobilestylegan_256", (15.0, 30.0), (-6.0, -4.0, -2.0, 2.0, 4.0, 6.0), 7
BUDGETS = {
    "gpu": {
        "e4e": ["trainer.max_steps=20000"],
        "hfgi": ["trainer.max_steps=10000"],
        "fusion": ["trainer.max_steps=10000"],
        "yaw": [],
    },
    "cpu": {  # about an hour and a half of a core
        "e4e": ["trainer.max_steps=1200"],
        "hfgi": ["trainer.max_steps=200", "encoder.batch_size=2"],
        "fusion": ["trainer.max_steps=200", "fusion.batch_size=2", "fusion.lr=5e-4", "network.hidden=512"],
        "yaw": ["method.num_samples=1000", "evaluation=faces"],
    },
}
METHODS = ("no correction", "HFGI", "HFGI-SF", "HFGI-SF, unmasked")
COLUMNS = {
    "ghosting": ("ghosting error", "{:.3f}"),
    "identity": ("identity (cosine)", "{:.3f}"),
    "background": ("background PSNR [dB]", "{:.1f}"),
    "reached": ("yaw reached [degrees]", "{:.1f}"),
}


def trained(trainer: str, seed: int) -> dict[str, Path]:
    """The folders of all that is trained."""
    shared, budget = (GAN, f"trainer={trainer}", f"seed={seed}", "logger=csv"), BUDGETS[trainer]

    def folder(name: str, module: str, finished: str, *arguments: str) -> Path:
        return folder_of(f"hfgi_sf-{trainer}-{name}-s{seed}", module, finished, *shared, *arguments, *budget[name])

    e4e = folder("e4e", "train_encoder", "encoder.safetensors", "encoder=e4e_small")
    weights = f"encoder.weights={e4e / 'encoder.safetensors'}"
    return {
        "hfgi": folder("hfgi", "train_encoder", "encoder.safetensors", "encoder=hfgi_small", weights),
        "fusion": folder("fusion", "train_fusion", "hierarchy.json"),
        "yaw": folder(
            "yaw", "train", "paths.safetensors", "method=interfacegan", "method.attributes=[yaw]", "gan.space=w"
        ),
    }


def turned(paths: Paths, codes: Codes, amount: float) -> Codes:
    """Codes of w+ moved along the first path in every row."""
    every = LayerwisePaths(paths, range(codes.latents.shape[1]))
    num = len(codes)
    k = torch.zeros(num, dtype=torch.long, device=codes.latents.device)
    return codes.moved(
        every.shift(codes.latents, k, torch.full((num,), amount, device=codes.latents.device)).to(codes.latents.dtype)
    )


@torch.no_grad()
def compare(
    space: LatentSpace,
    methods: tuple[HFGISF, HFGISF],
    codes: Codes,
    target: Tensor,
    edited: Codes,
    identity: nn.Module,
    yaw: Callable[[Tensor], Tensor],
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
    """Scores :math:`(N,)` of each of METHODS by the names of COLUMNS, and their images.

    Arguments:
        space: w+.
        methods: HFGI-SF with masked conditions, and with conditions everywhere.
        codes, target, edited: The inversions' codes, what was inverted, and the edited codes.
        identity: Embeddings :math:`(N, E)` of images.
        yaw: Degrees :math:`(N,)` of images; nan without a face.
    """
    styles = space.generator.space("s")
    inverted, plain = (space.decode(each).clamp(-1, 1) for each in (codes, edited))
    masked, everywhere = (method.fuse(space, codes, target, edited) for method in methods)
    images = {"no correction": plain, "HFGI": space.decode(masked.corrected)}
    bases = {"no correction": plain, "HFGI": plain}  # each without its conditions
    for name, fused in zip(METHODS[2:], (masked, everywhere)):
        bare = fused.codes.without(*(key for key in fused.codes.given if key.startswith(("scale.", "shift."))))
        images[name], bases[name] = styles.decode(fused.codes), styles.decode(bare)
    before = methods[0].person(target) >= 0.5
    outside = before & (methods[0].person(plain) < 0.5)
    was, looked, scores = identity(target), yaw(target), {}
    for name, image in images.items():
        image = images[name] = image.float().clamp(-1, 1)
        empty = ~before & (methods[0].person(image) < 0.5)
        scores[name] = {
            "ghosting": ghosting_error(image, bases[name].float().clamp(-1, 1), target - inverted, outside.float()),
            "identity": F.cosine_similarity(was, identity(image), dim=1),
            "background": psnr(image, target, empty.float()),
            "reached": (yaw(image) - looked).abs(),
        }
    return scores, {"original": target, "inversion": inverted, **images}


def table(scores: dict[float, dict[str, dict[str, Tensor]]], seed: int = 0) -> str:
    """Markdown: a row for each turn and method, means with 95 % bootstrap intervals over the images."""
    lines = [
        "| turn [degrees] | method | " + " | ".join(title for title, _ in COLUMNS.values()) + " |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]
    for turn, rows in scores.items():
        for method, columns in rows.items():
            bootstrap, cells = Bootstrap(len(columns["identity"]), 1000, torch.Generator().manual_seed(seed)), []
            for name, (_, form) in COLUMNS.items():
                score = bootstrap.score(name, columns[name].cpu(), "", "")
                cells.append(f"{form.format(score.value)} ({form.format(score.low)} to {form.format(score.high)})")
            lines.append(f"| {turn:g} | {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def figure(images: dict[str, Tensor], num: int = 4) -> Figure:
    """A row for each of the first images, a column for each stage."""
    num = min(num, len(images["original"]))
    shown = Figure(figsize=(1.6 * len(images), 1.6 * num + 0.3), layout="constrained")
    axes = shown.subplots(num, len(images), squeeze=False)
    for column, (name, batch) in enumerate(images.items()):
        axes[0, column].set_title(name, fontsize=7)
        for row in range(num):
            axes[row, column].imshow((batch[row].float().cpu().permute(1, 2, 0) / 2 + 0.5).clamp(0, 1).numpy())
            axes[row, column].axis("off")
    return shown


def reached(space: LatentSpace, paths: Paths, codes: Codes, yaw: Callable[[Tensor], Tensor]) -> dict[float, float]:
    """Mean absolute change of yaw in degrees by amount."""
    start = yaw(space.decode(codes))
    return {
        amount: (yaw(space.decode(turned(paths, codes, amount))) - start).abs().nanmean().item() for amount in AMOUNTS
    }


def main(trainer: str = "gpu", images: int = 200, seed: int = 0) -> None:
    from latent_lab.api import load_generator, load_run
    from latent_lab.attributes.faces.facemesh import FaceGeometry
    from latent_lab.attributes.faces.mobileface import MobileFaceIdentity
    from latent_lab.attributes.faces.selfie import PersonMask
    from latent_lab.inversion.fusion.hierarchy import Hierarchy
    from latent_lab.inversion.hfgi import hfgi

    device = torch.device("cuda" if trainer == "gpu" else "cpu")
    folders = trained(trainer, seed)
    space = load_generator("mobilestylegan_256").space("w+", truncation=0.7).to(device)
    geometry, identity, person = (part.to(device) for part in (FaceGeometry(), MobileFaceIdentity(), PersonMask()))
    correction = hfgi.HFGI(str(folders["hfgi"] / "encoder.safetensors"))
    tree = {"all": {"person": None, "background": None}}
    hierarchy = Hierarchy(tree, folders["fusion"] / "hierarchy.json")
    methods = HFGISF(correction, hierarchy, person), HFGISF(correction, hierarchy, person, masked=False)
    paths = load_run(folders["yaw"])[1].to(device)
    found: dict[float, list] = {turn: [] for turn in YAW}
    measured = [
        reached(space, paths, space.sample(8, stream(seed, 1, n, HELD_OUT)), lambda x: geometry(x)[:, 0])
        for n in range(4)
    ]
    degrees = {amount: sum(each[amount] for each in measured) / len(measured) for amount in AMOUNTS}
    for turn in YAW:
        # on each side the amount that comes nearest to the turn
        sides = [min((a for a in AMOUNTS if a * side > 0), key=lambda a: abs(degrees[a] - turn)) for side in (-1, 1)]
        for n in range(0, images, 8):
            target = space.decode(space.sample(8, stream(seed, 0, n, HELD_OUT))).float().clamp(-1, 1)
            codes = correction.base.invert(space, target, [torch.Generator()] * len(target)).codes
            edited = turned(paths, codes, sides[n // 8 % 2])
            found[turn].append(compare(space, methods, codes, target, edited, identity, lambda x: geometry(x)[:, 0]))
    scores = {
        turn: {name: {key: torch.cat([part[0][name][key] for part in parts]) for key in COLUMNS} for name in METHODS}
        for turn, parts in found.items()
    }
    budget = json.dumps(
        {"trainer": trainer, "budget": BUDGETS[trainer], "images": images, "seed": seed, "degrees by amount": degrees}
    )
    (RESULTS / "hfgi_sf.md").write_text(f"# HFGI-SF beside HFGI on turned faces\n\n{table(scores)}\n`{budget}`\n")
    publish(io.BytesIO(png_bytes(figure(found[YAW[-1]][0][1]), 150)), "hfgi_sf")


if __name__ == "__main__":
    own = options(trainer="gpu", images="200", seed="0")
    main(own["trainer"], int(own["images"]), int(own["seed"]))
