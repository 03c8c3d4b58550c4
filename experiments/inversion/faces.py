"""A photograph and samples through every inverter and application on gan=mobilestylegan_256.

    python experiments/inversion/faces.py photograph=<file> [samples=2] [only=e4e,i2spp] [applications=true]
    [large=true]

Needs `make faces`. The photograph is aligned as FFHQ's; the samples are of latents that no encoder was trained on.
Encoders are trained thin first. Everything is made once under outputs/inversion/ (``only`` names what to make of it, to
share a machine); the tables are of what is there: docs/results/inversion/faces.md, faces_psnr.md, applications.md and
pictures. ``large`` inverts the photograph and the first sample at 1024 pixels too.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import torch
from folders import OUTPUTS, RESULTS, folder_of, options, publish
from PIL import Image
from torch import Tensor

from latent_lab import load_generator
from latent_lab.data.photographs import Photographs
from latent_lab.data.pictures import find_pictures, to_tensor
from latent_lab.editing.inversions import Inversions
from latent_lab.figures.page import png_bytes
from latent_lab.figures.strips import Strip, draw_rows, encode_png

GAN = "gan=mobilestylegan_256"
PICTURES = OUTPUTS / "faces-pictures"
SEED = 1_000_003  # of the first sample
ENCODERS = {  # steps on a CPU
    "psp": ["encoder=psp_small", "trainer.max_steps=400"],
    "e4e": ["encoder=e4e_small", "trainer.max_steps=1200"],
    "restyle": ["encoder=restyle_small", "trainer.max_steps=150"],
    "hfgi": ["encoder=hfgi_small", "trainer.max_steps=200", "encoder.batch_size=2"],
}
OPTIMISERS = {  # at most 500 steps
    "i2s": ["inverter.steps=150"],
    "i2spp": [],
    "projector": ["inverter.steps=150"],
    "pti": ["inverter.pivot.steps=100", "inverter.steps=60"],
}
LARGE = ["inverter.blocks.latents.steps=100", "inverter.blocks.noise.steps=60"]
SHORT = ["application.blocks.latents.steps=120", "application.blocks.noise.steps=80"]
COLUMNS = {
    "psnr": "PSNR [dB]",
    "ssim": "SSIM",
    "identity_error": "identity error",
    "seconds": "seconds a picture",
    "steps": "steps",
}


def make_pictures(folder: Path, gan: str, photograph: str, samples: int) -> None:
    """Samples of a generator and the photograph, of its size, in a new folder."""
    folder.mkdir(parents=True)
    generator = load_generator(gan)
    space = generator.space("w")
    for i in range(samples):
        with torch.no_grad():
            image = space.decode(space.sample(1, torch.Generator().manual_seed(SEED + i)))
        (folder / f"sample-{i}.png").write_bytes(encode_png([image]))
    if photograph:
        photographs = Photographs(find_pictures(photograph), generator, "ffhq", "largest")
        for name in photographs.list_names():
            pixels, _ = photographs.read(name)
            (folder / f"{name}.png").write_bytes(encode_png([pixels[None] / 127.5 - 1]))


def encoder(name: str) -> Path:
    """The weights of an encoder, trained now if there are none."""
    arguments = [GAN, *ENCODERS[name]]
    if name == "hfgi":
        arguments.append(f"encoder.weights={encoder('e4e')}")
    return folder_of(f"faces-encoder-{name}", "train_encoder", "samples.png", *arguments) / "encoder.safetensors"


def inverted(name: str) -> Inversions:
    """The pictures, inverted."""
    arguments = OPTIMISERS[name] if name in OPTIMISERS else [f"inverter.weights={encoder(name)}"]
    common = ("dataset=faces", GAN, f"images={PICTURES}", f"inverter={name}", "batch_size=3", "perceptual=null")
    return Inversions.open(folder_of(f"faces-{name}", "invert", "overview.png", *common, *arguments))


def halves(inversions: Inversions) -> tuple[Tensor, Tensor]:
    """The pictures and their inversions, each with shape :math:`(N, 3, 256, 256)`."""
    files = [inversions.run.folder / "pictures" / f"{name}.png" for name in inversions.list_names()]
    both = torch.stack([to_tensor(Image.open(file), 3) for file in files])
    return both[..., :256], both[..., -256:]


def tables(found: dict[str, Inversions]) -> None:
    """The scores, PSNR by step of Image2StyleGAN++, and the picture of all inversions."""
    names = next(iter(found.values())).list_names()
    lines = [f"| inverter | picture | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 2) + "|"]
    for label, inversions in found.items():
        for name, row in inversions.run.read_json("scores.json")["pictures"].items():
            cells = [f"{row[key]:.4g}" if row.get(key) else "" for key in COLUMNS]
            lines.append(f"| {label} | {name} | {' | '.join(cells)} |")
    (RESULTS / "faces.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    targets = halves(next(iter(found.values())))[0]
    rows = [Strip("picture", targets), *(Strip(label, halves(inversions)[1]) for label, inversions in found.items())]
    columns = [Strip(name, torch.stack([row.images[i] for row in rows])) for i, name in enumerate(names)]
    publish(io.BytesIO(png_bytes(draw_rows(columns, [row.title for row in rows], "", None, 1.1), 150)), "faces")
    if "i2spp" in found:
        lines = by_step({name: found["i2spp"].read(name)[0] for name in names})
        (RESULTS / "faces_psnr.md").write_text("\n".join(lines) + "\n")
        print("\n".join(lines))


def large(photograph: str) -> None:
    """PSNR by step at 1024 pixels."""
    folder = OUTPUTS / "large-pictures"
    if not folder.exists():
        make_pictures(folder, "mobilestylegan", photograph, 1)
    common = (
        "dataset=faces",
        "gan=mobilestylegan",
        f"images={folder}",
        "inverter=i2spp",
        "batch_size=1",
        "perceptual=null",
    )
    found = Inversions.open(folder_of("large-i2spp", "invert", "overview.png", *common, *LARGE))
    lines = by_step({name: found.read(name)[0] for name in found.list_names()}, 20)
    (RESULTS / "large_psnr.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def by_step(tensors: dict[str, dict[str, Tensor]], every: int = 50) -> list[str]:
    """PSNR of Image2StyleGAN++ after every so many steps, w+ and then noise."""
    curves = {name: found["curves.psnr"] for name, found in tensors.items()}
    steps = range(0, len(next(iter(curves.values()))), every)
    lines = [f"| step | {' | '.join(map(str, steps))} | last |", "|---" * (len(steps) + 2) + "|"]
    return lines + [
        f"| {name} | {' | '.join(f'{curve[i]:.1f}' for i in [*steps, -1])} |" for name, curve in curves.items()
    ]


def applications(photograph: str) -> None:
    """One command each, from files; where codes are known, from the inversion by Image2StyleGAN++."""
    mine, other = PICTURES / f"{Path(photograph).stem}.png", PICTURES / "sample-0.png"
    source = f"source={OUTPUTS / 'faces-i2spp'}"
    both, one = [source, f"images=[{mine.stem},{other.stem}]"], [source, f"images=[{mine.stem}]"]
    wanted = {
        "crossover": [f"images=[{mine},{other}]", "mask=[0,0,1,0.5]", *SHORT],
        "inpainting": [f"images=[{mine}]", "mask=[0.6,0.3,0.82,0.7]", "application.completions=2", *SHORT],
        "scribble": [
            *one,
            "mask=[0.04,0.2,0.2,0.8]",
            "application.colour=[-0.55,-0.7,-0.8]",
            "application.layers=3-12",
            *SHORT,
        ],
        "style_transfer": [*both, "mask=[0.2,0.2,0.95,0.8]", *SHORT],
        "feature_transfer": [*both, "mask=[0.6,0.3,0.82,0.7]"],
    }
    lines = ["| application | seconds | scores |", "|---|---|---|"]
    for name, arguments in wanted.items():
        folder = folder_of(f"faces-{name}", "compose", "scores.json", f"application={name}", GAN, *arguments)
        scores = json.loads((folder / "scores.json").read_text())
        publish(folder / "picture.png", name)
        cells = [
            f"{key}: {', '.join(f'{one:.1f}' for one in value)} dB"
            for key, value in scores.items()
            if key.startswith("psnr")
        ]
        lines.append(f"| {name} | {scores['seconds']:.0f} | {'; '.join(cells)} |")
    (RESULTS / "applications.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def main() -> None:
    own = options(photograph="", samples="2", only="", applications="true", large="true")
    RESULTS.mkdir(parents=True, exist_ok=True)
    if not PICTURES.exists():
        make_pictures(PICTURES, "mobilestylegan_256", own["photograph"], int(own["samples"]))
    every = [*OPTIMISERS, *ENCODERS]
    wanted = own["only"].split(",") if own["only"] else every
    for name in wanted:
        inverted(name)
    there = {name: OUTPUTS / f"faces-{name}" for name in every}
    tables({name: Inversions.open(folder) for name, folder in there.items() if (folder / "overview.png").exists()})
    if own["applications"] == "true" and own["photograph"]:
        applications(own["photograph"])
    if own["large"] == "true":
        large(own["photograph"])


if __name__ == "__main__":
    main()
