"""The command ``evaluate``: the scores of finished runs' paths, from their folders alone."""

from __future__ import annotations

import statistics
from dataclasses import fields

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from latent_lab.console import log
from latent_lab.evaluation.evaluate import evaluate
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.report import write_evaluation, write_report
from latent_lab.evaluation.score import Evaluation
from latent_lab.evaluation.subject import Subject
from latent_lab.loading import choose_device, find_runs, load_space_and_paths, read_run_config
from latent_lab.runs import Run
from latent_lab.workflows.build import build_attributes, build_metrics, build_subject


def evaluate_run(run: Run, subject: Subject, evaluation: DictConfig) -> Evaluation:
    """Score a run's paths as an ``evaluation`` configuration says, and add the scores to its ``metrics.json``."""
    options = OmegaConf.to_container(evaluation, resolve=True)
    protocol = Protocol(**{field.name: options[field.name] for field in fields(Protocol)})
    made_for = run.read_json("findings.json").get("names", [])
    found = evaluate(subject, protocol, run.folder, metrics=build_metrics(evaluation), made_for=made_for)
    write_evaluation(run, found)
    return found


def evaluate_runs(config: DictConfig) -> float:
    """Evaluate each run, add the scores to its ``metrics.json``, make its report again; return the mean main score."""
    main_scores = []
    device = choose_device(config.device)
    for run in find_runs(config.run, config.weights):
        made = OmegaConf.create(read_run_config(run))
        space, paths, _ = load_space_and_paths(run)
        options = OmegaConf.merge({"gan": made.gan, "dataset": made.dataset}, {"evaluation": config.evaluation})
        attributes = build_attributes(made.dataset, options.evaluation.attributes)
        subject = build_subject(space, paths, attributes, made.dataset, options.evaluation).to(device)
        log.info(f"run {run.folder}")
        evaluation = evaluate_run(run, subject, options.evaluation)
        loggers = [
            instantiate(part)(save_dir=str(run.folder), group=run.read_label(), job_type="evaluate")
            for name, part in (config.get("logger") or {}).items()
            if name == "wandb"
        ]
        log.info(f"report {write_report(run, evaluation, loggers)}")
        main_scores.append(evaluation.main_score())
    return statistics.fmean(main_scores)
