"""``compose``: the applications of Image2StyleGAN++, each in a new folder with its picture."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import latent_lab.cpu_torchvision  # noqa: F401  (before torchmetrics)

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from rich.progress import track
from torch import Tensor

from latent_lab.checkpoints import native
from latent_lab.data.pictures import read_picture
from latent_lab.data.psnr import psnr
from latent_lab.gans.space import Codes, LatentSpace
from latent_lab.inversion.applications.base import Application, Composition
from latent_lab.inversion.masks import mask_of
from latent_lab.inversion.optimise import drawn, joined
from latent_lab.pictures.report import png_bytes
from latent_lab.pictures.strips import Strip, mosaic_png, row_figure
from latent_lab.runs import Run, weight_hash
from latent_lab.workflows.build import chosen_device
from latent_lab.workflows.discover import build_space


@torch.no_grad()
def images_of(space: LatentSpace, files: ListConfig | None, seeds: ListConfig | None) -> tuple[Tensor, Codes | None]:
    """Images :math:`(K, C, H, W)` in [-1, 1] of files, or of samples together with their codes."""
    if (files is None) == (seeds is None):
        raise ValueError(f"images (files) or seeds (samples) must be given, one of the two, got {files} and {seeds}")
    if files is not None:
        size, channels = space.generator.resolution, space.generator.channels
        return torch.stack([read_picture(file, size, channels) for file in files]).to(space.device), None
    codes = joined([drawn(space, 1, torch.Generator().manual_seed(seed)) for seed in seeds])
    return space.decode(codes).float().clamp(-1, 1), codes


def scores_of(composition: Composition, results: Tensor) -> dict[str, object]:
    """PSNR of each result against what it shall look like, and the first and last losses."""
    scores: dict[str, object] = {
        f"psnr, {target.name}": psnr(results, target.image, target.mask).tolist() for target in composition.targets
    }
    for name, curve in composition.curves.items():
        if len(curve):
            scores[f"loss of {name}"] = {"first": curve[0].tolist(), "lowest": curve.amin(0).tolist(), "steps": len(curve)}
    return scores


def picture_of(composition: Composition, mask: Tensor | None, results: Tensor, title: str):
    """What went in, the mask and the results, side by side."""
    columns = {name: image[:1].float() for name, image in composition.inputs.items()}
    if mask is not None:
        columns["mask"] = (2 * mask - 1).expand(-1, results.shape[1], -1, -1)
    columns |= {"result" if len(results) == 1 else f"result {i + 1}": results[i : i + 1] for i in range(len(results))}
    return row_figure([Strip(title, torch.cat([image.cpu() for image in columns.values()]))], list(columns), "", None)


def compose_images(config: DictConfig) -> None:
    """Runs the application and writes codes, pictures and scores into a new folder."""
    name = HydraConfig.get().runtime.choices["application"]
    application: Application = instantiate(config.application)
    application.require_number(len(config.images if config.seeds is None else config.seeds) if config.images or config.seeds else 0)
    space = build_space(config.gan, config.seed, compile=False).to(chosen_device(config.device))
    images, codes = images_of(space, config.images, config.seeds)
    region = instantiate(config.mask) if isinstance(config.mask, DictConfig) else config.mask
    mask = None if region is None else mask_of(region, images)
    run = Run.create(Path(HydraConfig.get().runtime.output_dir), OmegaConf.to_yaml(config, resolve=True))
    run.write("command.txt", shlex.join([Path(sys.executable).name, "-m", "latent_lab.compose", *HydraConfig.get().overrides.task]) + "\n")
    start = time.perf_counter()
    composition = application.compose(
        space,
        images,
        mask,
        torch.Generator().manual_seed(config.seed),
        codes,
        lambda steps, stage: track(steps, f"{name}, {stage}", transient=True),
    )
    with torch.no_grad():
        results = space.decode(composition.codes).float()
    scores = {"seconds": round(time.perf_counter() - start, 2)} | scores_of(composition, results)
    tensors = {"latents": composition.codes.latents} | {f"given.{key}": value for key, value in composition.codes.given.items()}
    described = {"format": 1, "application": name, "space": space.name, "gan": config.gan.name, "generator": weight_hash(space.generator)}
    run.write("codes.safetensors", native.to_bytes(tensors, described))
    run.write("picture.png", png_bytes(picture_of(composition, mask, results, name.replace("_", " ")), 220))
    for i in range(len(results)):
        run.write(f"result_{i + 1}.png", mosaic_png([results[i : i + 1]]))
    run.write("scores.json", json.dumps(scores, indent=1))
    for key, value in scores.items():
        if key.startswith("psnr"):
            print(f"latent_lab: {key}: {', '.join(f'{one:.1f}' for one in value)} dB")
    print(f"latent_lab: {application.__class__.__name__} in {run.folder}")
