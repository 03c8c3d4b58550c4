"""The command ``pretrain``: train a generator on a data set, judge it, write its weights and its model card."""

from __future__ import annotations

import io
import json

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from latent_lab.console import log
from latent_lab.devices import put_on
from latent_lab.pretraining.judge import judge, train_classifier
from latent_lab.runs import Run
from latent_lab.workflows.begin import build_trainer, open_run, resume_from
from latent_lab.workflows.convert import generator_bytes


def pretrain(config: DictConfig) -> None:
    """Train the generator of ``gan`` on ``dataset``, and write ``generator.safetensors``, ``samples.png`` and
    ``card.md`` into the run's folder."""
    continued = config.run is not None
    if continued:  # its own configuration names its data
        run, config = open_run(config, "latent_lab.pretrain")
    if not config.gan.get("pretraining"):
        raise ValueError(
            f"gan={config.gan.name} has no training from scratch (gan.pretraining); gan=sngan_mnist and gan=glo have"
        )
    if not config.dataset.get("data"):
        raise ValueError(
            f"dataset must have images to train gan={config.gan.name} on, got dataset={config.dataset.name}, "
            "which has none"
        )
    data = instantiate(config.dataset.data)
    data.prepare_data()
    data.setup()
    if not continued:  # no folder before the data are there
        run, config = open_run(config, "latent_lab.pretrain")
    steps = config.trainer.max_steps
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        generator = instantiate(config.gan.generator)
        expected = (generator.channels, generator.resolution, generator.resolution)
        if data.image_shape != expected:
            raise ValueError(
                f"dataset must hold images of shape {expected} for gan={config.gan.name}, got {data.image_shape}"
            )
        module = instantiate(config.gan.pretraining, generator=generator, data=data, seed=config.seed)
    config.trainer.max_steps = module.optimisers * steps  # Lightning counts the steps of all
    trainer = build_trainer(config, run)
    module.fit(trainer, resume_from(run))
    if not trainer.is_global_zero:
        return
    device = trainer.strategy.root_device
    put_on(device, module)  # Lightning takes what it has trained to the CPU
    finished = module.finish(config.statistics_batches)
    # before they are judged, which can fail or be stopped
    weights = run.write("generator.safetensors", generator_bytes(finished))
    space = finished.space()
    scores: dict[str, object] = {}
    classifier = None
    if config.judge.epochs and data.num_classes > 1 and generator.resolution == 32:  # what the judge classifies
        seen, unseen = (
            (images.to(device), labels.to(device)) for images, labels in (data.train_split(), data.held_out_split())
        )
        classifier = train_classifier(*seen, config.judge.epochs, config.seed)
        scores = judge(space, classifier, unseen, config.judge.samples, config.seed)
    own, pictures = module.judge(finished, classifier)
    scores |= own
    if scores:
        run.write("metrics.json", json.dumps(scores, indent=1))
        print(json.dumps(scores))
    run.collect_curves()
    from torchvision.utils import save_image

    pictures["samples"] = space.decode(space.sample(100, torch.Generator().manual_seed(config.seed)))
    for name, images in pictures.items():
        picture = io.BytesIO()
        save_image(images / 2 + 0.5, picture, nrow=20, format="png")
        run.write(f"{name}.png", picture.getvalue())
    run.write("card.md", model_card(config, run, steps, data.num_train, scores))
    log.info(f"weights {weights}")


def model_card(config: DictConfig, run: Run, steps: int, num_images: int, scores: dict[str, object]) -> str:
    """Return the model card in markdown: all that a user of the weights must know."""
    lines = [
        f"# {config.gan.name}",
        "",
        f"- data: {config.dataset.name}, {num_images} images to train on; "
        f"at least {config.dataset.data.held_out} others were held out",
        f"- training: {steps} steps of batch {config.dataset.data.batch_size}, "
        f"{config.gan.pretraining._target_.split('.')[-1]}, seed {config.seed}",
        f"- command: `{run.read_command()}`",
        *[f"- {name.replace('_', ' ')}: {value}" for name, value in scores.items()],
    ]
    return "\n".join(lines) + "\n"
