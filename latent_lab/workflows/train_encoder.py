"""``train_encoder``: train networks that invert a generator, judge them on samples that they have not seen, write their weights."""

from __future__ import annotations

import io
import json

import latent_lab.cpu_torchvision  # noqa: F401  (before torchvision)

import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from torchvision.utils import save_image

from latent_lab.data.folder import FolderImages
from latent_lab.data.images import IdxImages
from latent_lab.data.moves import EVALUATION, stream
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.encoder_files import encoder_bytes
from latent_lab.inversion.training import EncoderTraining
from latent_lab.runs import Run, weight_hash
from latent_lab.workflows.begin import build_trainer, open_run, resume_from
from latent_lab.workflows.build import build_generator, space_of


def train_encoder(config: DictConfig) -> None:
    """Trains ``encoder`` on ``gan`` and writes ``encoder.safetensors``, ``metrics.json`` and ``samples.png`` (each beside its inversion) into the run's folder."""
    run, config = open_run(config, "latent_lab.train_encoder")
    generator = build_generator(OmegaConf.to_container(config.gan), get_class(config.gan.generator._target_), config.seed)
    if "w+" not in generator.spaces:
        raise ValueError(f"gan must have the space w+, which encoders read images into, got gan={config.gan.name} with {generator.spaces}")
    if config.compile:
        generator.compile()
    space = space_of(generator, OmegaConf.merge(config.gan, {"space": "w+"}))
    data = pictures_of(config, generator.channels)
    objective = instantiate(config.encoder.objective)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        module = instantiate(
            config.encoder,
            space=space,
            objective=objective,
            distance=instantiate(config.features) if objective.features and config.dataset.get("features") else None,
            identity=instantiate(config.dataset.identity) if objective.identity and config.dataset.get("identity") else None,
            data=data,
            seed=config.seed,
        )
    config.trainer.max_steps *= module.optimisers  # Lightning counts the steps of all
    trainer = build_trainer(config, run)
    trainer.fit(module, ckpt_path=resume_from(run), weights_only=True)
    if not trainer.is_global_zero:
        return
    run.collect_curves()
    module = module.cpu()
    described = {"generator": weight_hash(generator), "gan": config.gan.name, "seed": config.seed}
    weights = run.write("encoder.safetensors", encoder_bytes(module.networks(), *module.known(), described))
    judge(config, run, module, space.cpu(), data)
    print(f"latent_lab: encoder {weights}; use it with inverter.weights={weights}")


def pictures_of(config: DictConfig, channels: int) -> IdxImages | FolderImages | None:
    """The images of the data set if ``images`` asks for them, set up; None for the generator's own samples."""
    if config.images not in ("samples", "dataset"):
        raise ValueError(f"images must be 'samples' (the generator's own) or 'dataset', got {config.images!r}")
    if config.images == "samples":
        return None
    if not config.dataset.get("data"):
        raise ValueError(f"images must be 'samples' with dataset={config.dataset.name}, which has no images, got 'dataset'")
    data = instantiate(config.dataset.data)
    data.prepare_data()
    data.setup()
    if data.image_shape[0] != channels:
        raise ValueError(f"dataset must hold images of {channels} channels for gan={config.gan.name}, got {data.image_shape[0]}")
    return data


@torch.no_grad()
def judge(config: DictConfig, run: Run, module: EncoderTraining, space: LatentSpace, data: IdxImages | FolderImages | None) -> None:
    """How well the finished file inverts images that no step has seen: mean PSNR in dB and, of samples, the error of their latents."""
    inverter = module.inverter(run.folder / "encoder.safetensors")
    codes = space.sample(config.held_out, stream(config.seed, 0, 0, EVALUATION))
    sources = {"samples": [(space.decode(part), part.latents) for part in map(codes.select, chunks(config.held_out))]}
    if data is not None:
        images = data.held_out_split()[0][: config.held_out]
        sources["pictures"] = [(images[part], None) for part in chunks(len(images))]
    scores: dict[str, float] = {}
    for name, batches in sources.items():
        decibels, errors, shown = [], [], []
        for images, known in batches:
            found = inverter.invert(space, images, [torch.Generator() for _ in images]).codes
            made = space.decode(found)
            if images.shape != made.shape:  # pictures of another size
                images = torch.nn.functional.interpolate(images, made.shape[2:], mode="bilinear", antialias=True)
            decibels.append(psnr(made, images))
            if known is not None:
                errors.append((found.latents - known).square().mean((1, 2)))
            shown.append(torch.cat([images, made.clamp(-1, 1)], 3))
        scores[f"{name}_psnr"] = torch.cat(decibels).mean().item()
        if errors:
            scores[f"{name}_latents_error"] = torch.cat(errors).mean().item()
        picture = io.BytesIO()
        save_image(torch.cat(shown)[:32] / 2 + 0.5, picture, nrow=4, format="png")
        run.write(f"{name}.png", picture.getvalue())
    run.write("metrics.json", json.dumps(scores, indent=1))
    print(json.dumps(scores))


def chunks(num: int, size: int = 8) -> list[slice]:
    return [slice(start, start + size) for start in range(0, num, size)]


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """PSNR in dB of images :math:`(N, C, H, W)` in [-1, 1], with shape :math:`(N,)`."""
    return 10 * (4 / (images.clamp(-1, 1) - targets.clamp(-1, 1)).square().flatten(1).mean(1).clamp_min(1e-10)).log10()
