"""The command ``train_encoder``: train networks that invert a generator, judge them on samples that they have not seen,
write their weights."""

from __future__ import annotations

import json

import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from latent_lab.console import log
from latent_lab.data.folder import FolderImages
from latent_lab.data.images import IdxImages
from latent_lab.devices import put_on
from latent_lab.figures.strips import encode_png
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.encoders.files import encoder_bytes
from latent_lab.inversion.encoders.style_encoder import resize
from latent_lab.inversion.encoders.training import EncoderTraining
from latent_lab.loading import make_space
from latent_lab.metrics.reconstruction import reconstruction_scores
from latent_lab.ops.streams import EVALUATION, stream
from latent_lab.runs import Run, hash_weights
from latent_lab.workflows.begin import build_trainer, open_run, resume_from
from latent_lab.workflows.build import build_generator, build_space, preview_of


def train_encoder(config: DictConfig) -> None:
    """Train ``encoder`` on ``gan``, and write ``encoder.safetensors``, ``metrics.json`` and ``samples.png`` (each
    sample above its inversion) into the run's folder."""
    run, config = open_run(config, "latent_lab.train_encoder")
    generator = build_generator(config.gan, config.seed, config.compile)
    if "w+" not in generator.spaces:
        raise ValueError(
            "gan must have the space w+, which encoders read images into, "
            f"got gan={config.gan.name} with {generator.spaces}"
        )
    gan = OmegaConf.merge(config.gan, {"space": "w+"})
    space = make_space(generator, gan)
    preview = preview_of(gan) if get_class(config.encoder._target_).previews else None
    data = pictures_of(config, generator.channels)
    objective = instantiate(config.encoder.objective)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        module = instantiate(
            config.encoder,
            space=space,
            preview=None if preview is None else build_space(preview, config.seed, config.compile),
            objective=objective,
            distance=instantiate(config.distance) if objective.features and config.dataset.features else None,
            identity=instantiate(config.dataset.identity)
            if objective.identity and config.dataset.get("identity")
            else None,
            data=data,
            seed=config.seed,
        )
    config.trainer.max_steps *= module.optimisers  # Lightning counts the steps of all
    trainer = build_trainer(config, run)
    if trainer.is_global_zero:
        run.require_generator(hash_weights(generator))
    module.fit(trainer, resume_from(run))
    if not trainer.is_global_zero:
        return
    run.collect_curves()
    described = {"generator": hash_weights(generator), "gan": config.gan.name, "seed": config.seed}
    weights = run.write("encoder.safetensors", encoder_bytes(module.networks(), *module.known(), described))
    judge(config, run, module, space, data)
    log.info(f"encoder {weights}; use it with inverter.weights={weights}")


def pictures_of(config: DictConfig, channels: int) -> IdxImages | FolderImages | None:
    """Return the images of the data set if ``images`` asks for them, set up; None for the generator's own samples."""
    if config.images == "samples":
        return None
    if not config.dataset.get("data"):
        raise ValueError(
            f"images must be 'samples' with dataset={config.dataset.name}, which has no images, got 'dataset'"
        )
    data = instantiate(config.dataset.data)
    data.prepare_data()
    data.setup()
    if data.image_shape[0] != channels:
        raise ValueError(
            f"dataset must hold images of {channels} channels for gan={config.gan.name}, got {data.image_shape[0]}"
        )
    return data


@torch.no_grad()
def judge(
    config: DictConfig, run: Run, module: EncoderTraining, space: LatentSpace, data: IdxImages | FolderImages | None
) -> None:
    """Measure how well the finished file inverts images that no step has seen: mean scores and, of samples, the mean
    squared error of their latents."""
    inverter = module.inverter(run.folder / "encoder.safetensors")
    put_on(space.device, inverter)
    samples = space.sample(config.held_out, stream(config.seed, 0, 0, EVALUATION))
    sources = {"samples": space.decode(samples)}
    if data is not None:
        pictures = resize(data.held_out_split()[0][: config.held_out].to(space.device), space.generator.resolution)
        sources |= {"pictures": pictures} if len(pictures) else {}
    scores: dict[str, float] = {}
    for name, images in sources.items():
        parts = [
            inverter.invert(space, part, [stream(config.seed, 0, 0, EVALUATION)] * len(part)).codes
            for part in images.split(8)
        ]
        made = torch.cat([space.decode(codes) for codes in parts])
        rows = reconstruction_scores(made, images, None, None)
        scores |= {f"{name}_{score}": sum(row[score] for row in rows) / len(rows) for score in rows[0]}
        if name == "samples":
            found = torch.cat([codes.latents for codes in parts])
            scores["samples_latents_error"] = (found - samples.latents).square().mean().item()
        run.write(f"{name}.png", encode_png([images[:8], made[:8].clamp(-1, 1)]))
    run.write("metrics.json", json.dumps(scores, indent=1))
    print(json.dumps(scores))
