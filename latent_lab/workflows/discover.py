"""``train``: discover paths, score them, show them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from latent_lab.attributes.base import Attributes
from latent_lab.console import say
from latent_lab.devices import put_on
from latent_lab.evaluation.report import write_report
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, fit_on_device
from latent_lab.metrics.commutativity import CommutativityError
from latent_lab.metrics.edit_length import EditLength
from latent_lab.metrics.side_effects import SideEffectError
from latent_lab.ops.streams import INITIAL, stream
from latent_lab.runs import Run, weight_hash
from latent_lab.workflows.begin import build_trainer, open_run, resume_from
from latent_lab.workflows.build import build_attributes, build_space, build_subject, preview_of
from latent_lab.workflows.evaluate import evaluate_run

if TYPE_CHECKING:
    import pytorch_lightning as pl


def build_metrics(space: LatentSpace, attributes: Attributes | None, seed: int, num_paths: int) -> dict:
    """What every training measures while it runs."""
    metrics = {
        "commutativity_latents": CommutativityError("latents"),
        "commutativity_images": CommutativityError("images"),
        "length": EditLength(space, torch.Generator().manual_seed(seed)),
    }
    if attributes is not None:
        metrics["side_effects"] = SideEffectError(num_paths)
    return metrics


def discover(config: DictConfig) -> None:
    """Fits the method (unless the run has its paths already), evaluates it and writes the report."""
    run, config = open_run(config, "latent_lab.train")
    attributes = build_attributes(config.dataset, config.evaluation.attributes)
    space = build_space(config.gan, config.seed, config.compile)
    trainer = build_trainer(config, run)
    if trainer.is_global_zero:
        run.require_generator(weight_hash(space.generator))
    if not run.has_paths():
        checkpoint = resume_from(run)
        method = instantiate(config.method)
        preview = preview_of(config.gan) if method.previews else None
        seen = attributes if preview is None else None  # predictors do not read a preview's images
        context = Context(
            trainer=trainer,
            seed=config.seed,
            rng=stream(config.seed, 0, 0, INITIAL),
            metrics=lambda num_paths: build_metrics(space, seen, config.seed, num_paths),
            attributes=seen,
            checkpoint=checkpoint,
            measures=lambda names: build_attributes(config.dataset, names),
        )
        seen_space = space if preview is None else build_space(preview, config.seed, config.compile)
        paths = fit_on_device(method, seen_space, context)
        if trainer.is_global_zero:
            if context.findings:
                run.write("findings.json", json.dumps(context.findings, indent=1))
            run.save_paths(
                paths,
                {
                    "generator": weight_hash(space.generator),
                    "gan": config.gan.name,
                    "space": space.name,
                    "seed": config.seed,
                },
            )
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # one rank evaluates: its metrics must not wait for the others
    if not trainer.is_global_zero:
        return
    put_on(trainer.strategy.root_device, space, attributes)  # a run that had its paths has not fitted
    score(config, run, space, attributes, trainer.loggers)


def score(
    config: DictConfig,
    run: Run,
    space: LatentSpace,
    attributes: Attributes | None,
    loggers: Sequence[pl.loggers.Logger],
) -> None:
    """Evaluates the run's paths and shows them."""
    paths, _ = run.load_paths()
    subject = build_subject(space, paths, attributes, config.dataset, config.evaluation).to(space.device)
    evaluation = evaluate_run(run, subject, config.evaluation)
    say(f"report {write_report(run, evaluation, loggers)}")
