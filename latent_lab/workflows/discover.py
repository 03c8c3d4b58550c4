"""The command ``train``: discover paths, score them, show them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from latent_lab import api
from latent_lab.attributes.base import Attributes
from latent_lab.console import log
from latent_lab.devices import put_on
from latent_lab.evaluation.report import write_report
from latent_lab.evaluation.subject import Subject
from latent_lab.evaluation.validation import Validation
from latent_lab.gans.space import LatentSpace
from latent_lab.runs import Run, hash_weights
from latent_lab.workflows.begin import build_trainer, open_run, resume_from
from latent_lab.workflows.build import build_attributes, build_metrics, build_space, build_subject, preview_of
from latent_lab.workflows.evaluate import evaluate_run

if TYPE_CHECKING:
    import pytorch_lightning as pl


def discover(config: DictConfig) -> float | None:
    """Fit the method unless the run has its paths already, evaluate them, write the report; return the main score."""
    run, config = open_run(config, "latent_lab.train")
    attributes = build_attributes(config.dataset, config.evaluation.attributes)
    space = build_space(config.gan, config.seed, config.compile)
    trainer = build_trainer(config, run)
    if trainer.is_global_zero:
        run.require_generator(hash_weights(space.generator))
    if not run.has_paths():
        checkpoint = resume_from(run)
        method = instantiate(config.method)
        preview = preview_of(config.gan) if method.previews else None
        seen = attributes if preview is None else None  # predictors do not read a preview's images
        findings: dict = {}
        paths = api.discover(
            method,
            space if preview is None else build_space(preview, config.seed, config.compile),
            seed=config.seed,
            predictor=seen,
            trainer=trainer,
            measure=lambda names: build_attributes(config.dataset, names),
            validation=lambda space, paths: Validation(
                Subject(space, paths, seen), build_metrics(config.evaluation), config.seed
            ),
            checkpoint=checkpoint,
            findings=findings,
        )
        if trainer.is_global_zero:
            if findings:
                run.write("findings.json", json.dumps(findings, indent=1))
            run.save_paths(
                paths,
                {
                    "generator": hash_weights(space.generator),
                    "gan": config.gan.name,
                    "space": space.name,
                    "seed": config.seed,
                },
            )
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # one rank evaluates: its metrics must not wait for the others
    if not trainer.is_global_zero:
        return None
    put_on(trainer.strategy.root_device, space, attributes)  # a run that had its paths has not fitted
    return score(config, run, space, attributes, trainer.loggers)


def score(
    config: DictConfig,
    run: Run,
    space: LatentSpace,
    attributes: Attributes | None,
    loggers: Sequence[pl.loggers.Logger],
) -> float:
    """Evaluate the run's paths, show them, and return the main score."""
    paths, _ = run.load_paths()
    subject = build_subject(space, paths, attributes, config.dataset, config.evaluation).to(space.device)
    evaluation = evaluate_run(run, subject, config.evaluation)
    log.info(f"report {write_report(run, evaluation, loggers)}")
    return evaluation.main_score()
