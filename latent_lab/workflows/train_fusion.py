"""The command ``train_fusion``: train the network that puts two regions together, judge it on samples that it has not
seen, write its weights."""

from __future__ import annotations

import io
import json

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from latent_lab.checkpoints.fusion_files import fusion_bytes
from latent_lab.console import log
from latent_lab.inversion.fusion.net import FusionNet
from latent_lab.inversion.fusion.training import FusionTraining
from latent_lab.loading import make_space
from latent_lab.runs import hash_weights
from latent_lab.workflows.begin import build_trainer, open_run, resume_from
from latent_lab.workflows.build import build_generator


def train_fusion(config: DictConfig) -> None:
    """Train ``fusion`` on ``gan``, and write ``fusion.safetensors``, ``hierarchy.json``, ``metrics.json`` and
    ``samples.png`` into the run's folder."""
    run, config = open_run(config, "latent_lab.train_fusion")
    generator = build_generator(config.gan, config.seed)
    if "s" not in generator.spaces:
        raise ValueError(
            f"gan must have the space s of style vectors, got gan={config.gan.name} with {generator.spaces}"
        )
    space = make_space(generator, OmegaConf.merge(config.gan, {"space": "s"}))
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = FusionNet(**network_sizes(config.network, generator))
        region = config.region
        region = (
            instantiate(region)
            if OmegaConf.is_dict(region)
            else OmegaConf.to_container(region)
            if OmegaConf.is_list(region)
            else region
        )
        distance = instantiate(config.features) if config.features.get("features") else None
        module: FusionTraining = instantiate(
            config.fusion, space=space, network=network, region=region, seed=config.seed, distance=distance
        )
    trainer = build_trainer(config, run)
    if trainer.is_global_zero:
        run.require_generator(hash_weights(generator))
    module.fit(trainer, resume_from(run))
    if not trainer.is_global_zero:
        return
    run.collect_curves()
    module.eval()
    weights = run.write("fusion.safetensors", fusion_bytes(network.config, network.state_dict()))
    listed = run.write("hierarchy.json", json.dumps({config.node: weights.name}))
    from torchvision.utils import save_image

    scores, shown = module.judge(config.held_out)
    picture = io.BytesIO()
    save_image(shown / 2 + 0.5, picture, nrow=4, format="png")
    run.write("samples.png", picture.getvalue())
    run.write("metrics.json", json.dumps(scores, indent=1))
    print(json.dumps(scores))
    log.info(f"network {weights}; use it with hierarchy.weights={listed}")


def network_sizes(sizes: DictConfig, generator) -> dict[str, int]:
    """Return the network's sizes; those that are null are what the generator needs."""
    found = {name: value for name, value in sizes.items() if value is not None}
    width = found.setdefault("width", max(generator.style_sizes()))
    found.setdefault("hidden", 5 * width)
    found.setdefault("layers", generator.num_rows)
    return found
