"""The command ``compose``: the applications of Image2StyleGAN++ and StyleFusion, each in a new folder with its
picture."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from latent_lab.checkpoints import native
from latent_lab.console import log
from latent_lab.data.pictures import read_picture
from latent_lab.devices import put_on
from latent_lab.editing.inversions import Inversions
from latent_lab.editing.sources import InvertedPictures
from latent_lab.figures.page import png_bytes
from latent_lab.figures.strips import Strip, draw_rows, encode_png
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.applications.base import Application, Composition
from latent_lab.inversion.optimisation.i2s import draw_codes
from latent_lab.inversion.optimisation.masks import mask_of
from latent_lab.loading import choose_device
from latent_lab.ops.psnr import psnr
from latent_lab.progress import track
from latent_lab.runs import Run, hash_weights
from latent_lab.workflows.begin import asked_folder
from latent_lab.workflows.build import build_space

DPI = 150


def read_inverted(space: LatentSpace, inversions: Inversions, names: Sequence[str]) -> tuple[Tensor, Codes]:
    """Read pictures of an inversion, with their codes carried to the space."""
    source = InvertedPictures(inversions, space, names)
    about = inversions.read(source.names[0])[1]
    own = hash_weights(space.generator)
    if about["generator"] != own:
        there = inversions.run.read_config()["gan"]["name"]
        raise ValueError(
            f"gan must be the generator that source was inverted on, gan={there} with hash "
            f"{about['generator'][:12]}, got {own[:12]}"
        )
    pictures = [source.open_picture(name) for name in source.names]
    if any(picture.space is not space for picture in pictures):
        raise ValueError(
            "source must be inverted without tuning the generator, which images must share, "
            f"got {inversions.run.folder}"
        )
    codes = space.generator.convert(Codes.cat([picture.codes for picture in pictures]), about["space"], space.name)
    codes = space.complete(codes.without("z"), stored_noise=True)  # z is theirs only until they move
    return torch.cat([picture.target for picture in pictures]), codes


@torch.no_grad()
def images_of(
    space: LatentSpace, inversions: Inversions | None, images: Sequence[str] | None, seeds: Sequence[int] | None
) -> tuple[Tensor, Codes | None]:
    """Return images :math:`(K, C, H, W)` in [-1, 1] of files; or of an inversion or of samples, together with their
    codes."""
    if inversions is not None:
        return read_inverted(space, inversions, images)
    if images is not None:
        size, channels = space.generator.resolution, space.generator.channels
        return torch.stack([read_picture(file, size, channels) for file in images]).to(space.device), None
    codes = Codes.cat([draw_codes(space, 1, torch.Generator().manual_seed(seed)) for seed in seeds])
    return space.decode(codes).float().clamp(-1, 1), codes


def scores_of(composition: Composition, results: Tensor) -> dict[str, object]:
    """Return the PSNR of each result against its targets, and the first and last losses."""
    scores: dict[str, object] = {
        f"psnr, {target.name}": psnr(results, target.image, target.mask).tolist() for target in composition.targets
    }
    for name, curve in composition.curves.items():
        if len(curve):
            scores[f"loss of {name}"] = {
                "first": curve[0].tolist(),
                "lowest": curve.amin(0).tolist(),
                "steps": len(curve),
            }
    return scores


def picture_of(composition: Composition, mask: Tensor | None, results: Tensor, title: str):
    """Draw the inputs, the mask and the results side by side."""
    columns = {name: image[:1].float() for name, image in composition.inputs.items()}
    if mask is not None:
        columns["mask"] = (2 * mask - 1).expand(-1, results.shape[1], -1, -1)
    columns |= {"result" if len(results) == 1 else f"result {i + 1}": results[i : i + 1] for i in range(len(results))}
    inches = min(max(results.shape[-1] / DPI, 0.72), 2.4)  # a pixel a pixel, unless images are small or large
    return draw_rows(
        [Strip(title, torch.cat([image.cpu() for image in columns.values()]))], list(columns), "", None, inches
    )


def compose_images(config: DictConfig) -> None:
    """Run the application and write codes, pictures and scores into a new folder."""
    name = HydraConfig.get().runtime.choices["application"]
    inversions, images, seeds = (
        None if config.source is None else Inversions.open(config.source),
        config.images,
        config.seeds,
    )
    if inversions is not None and images is None:
        images = inversions.list_names()
    if images is not None and seeds is not None:
        raise ValueError(
            f"images (of files or of source) or seeds (samples) must be given, one of the two, got {images} and {seeds}"
        )
    application: Application = instantiate(config.application)
    application.require_number(len(images or seeds or ()))
    space = build_space(config.gan, config.seed, compile=False).to(choose_device(config.device))
    images, codes = images_of(space, inversions, images, seeds)
    region = instantiate(config.mask) if isinstance(config.mask, DictConfig) else config.mask
    put_on(space.device, application, region)
    mask = None if region is None else mask_of(region, images)
    run = Run.create(
        Path(HydraConfig.get().runtime.output_dir), OmegaConf.to_yaml(config, resolve=True), fixed=asked_folder()
    )
    run.write(
        "command.txt",
        shlex.join([Path(sys.executable).name, "-m", "latent_lab.compose", *HydraConfig.get().overrides.task]) + "\n",
    )
    start = time.perf_counter()
    composition = application.compose(
        space,
        images,
        mask,
        torch.Generator().manual_seed(config.seed),
        codes,
        lambda steps, stage: track(steps, f"{name}, {stage}"),
    )
    with torch.no_grad():
        results = space.generator.decode(composition.space, composition.codes).float()
    scores = {"seconds": round(time.perf_counter() - start, 2)} | scores_of(composition, results)
    tensors = {"latents": composition.codes.latents} | {
        f"given.{key}": value for key, value in composition.codes.given.items()
    }
    described = {
        "format": 1,
        "application": name,
        "space": composition.space,
        "gan": config.gan.name,
        "generator": hash_weights(space.generator),
    }
    run.write("codes.safetensors", native.to_bytes(tensors, described))
    run.write("picture.png", png_bytes(picture_of(composition, mask, results, name.replace("_", " ")), DPI))
    for i in range(len(results)):
        run.write(f"result_{i + 1}.png", encode_png([results[i : i + 1]]))
    run.write("scores.json", json.dumps(scores, indent=1))
    for key, value in scores.items():
        if key.startswith("psnr"):
            log.info(f"{key}: {', '.join(f'{one:.1f}' for one in value)} dB")
    log.info(f"{application.__class__.__name__} in {run.folder}")
