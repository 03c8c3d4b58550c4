"""Folders of runs with scores as an evaluation writes them, from numbers that a test chooses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import yaml

from latent_lab.checkpoints import native
from latent_lab.evaluation.gather import Scored, read_scored
from latent_lab.runs import Run

RANDOM, SEFA = "latent_lab.methods.random.RandomBasis", "latent_lab.methods.sefa.SeFa"
LINEAR = "latent_lab.methods.reconstructor_guided.ReconstructorGuided"
UNITS = {"selectivity/0.5": ("share", "higher"), "side_effects/+0.5/mean": ("%", "lower"), "length": ("", "")}


def entry(name: str, mean: float | None, half: float | None = None, reached: float = 1.0) -> dict:
    """A score as ``metrics.json`` has it."""
    ends = {"low": None, "high": None} if half is None or mean is None else {"low": mean - half, "high": mean + half}
    unit, better = UNITS[name]
    return {"mean": mean, **ends, "num": 16, "unit": unit, "better": better, "reached": reached}


def write_run(
    folder: Path,
    label: str,
    seed: int,
    draws: Mapping[int, Mapping[str, dict]],
    resamples: Mapping[int, Mapping[str, np.ndarray]] | None = None,
    method: str = LINEAR,
    rules: str = "0123456789ab",
    gan: str = "shapes",
) -> Path:
    """Write a run's folder with one evaluation, ``study``."""
    run = folder / f"{label.replace('/', '_')}-{seed}"
    run.mkdir(parents=True)
    about = {"gan": {"name": gan, "generator": {}}, "seed": seed, "label": label, "method": {"_target_": method}}
    (run / "config.yaml").write_text(yaml.safe_dump(about))
    curves = {"identity_curves": {"age": [[0.5, 0.1], [1.0, 0.3]], "hair": [[0.5, 0.3]]}}
    made = {str(draw): {"scores": dict(scores), **curves} for draw, scores in draws.items()}
    (run / "metrics.json").write_text(json.dumps({"study": {"hash": rules, "protocol": {}, "draws": made}}))
    for draw, tables in (resamples or {}).items():
        (run / "evaluation").mkdir(exist_ok=True)
        tensors = {name: torch.from_numpy(np.asarray(values, dtype=np.float32)) for name, values in tables.items()}
        (run / "evaluation" / f"study-{draw}.safetensors").write_bytes(native.to_bytes(tensors, {}))
    return run


def write_row(
    folder: Path,
    label: str,
    means: Mapping[str, float],
    seeds: int = 5,
    draws: int = 3,
    method: str = LINEAR,
    reached: float = 1.0,
    spread: float = 0.01,
    resamples: int = 300,
    shared: float = 0.2,
    **options,
) -> list[Path]:
    """Write the runs of a row. Latents shift the scores of all rows alike, by ``shared``; seeds each by ``spread``."""
    runs = []
    rng = np.random.default_rng(sum(map(ord, label)))
    shifts = [np.random.default_rng(draw).standard_normal() * shared for draw in range(draws)]
    noise = [np.random.default_rng(100 + draw).standard_normal(resamples) * shared for draw in range(draws)]
    for seed in range(seeds):
        own = {name: mean + spread * rng.standard_normal() for name, mean in means.items()}
        scores = {
            draw: {name: entry(name, value + shifts[draw], 2 * shared, reached) for name, value in own.items()}
            for draw in range(draws)
        }
        statistics = {draw: {name: noise[draw] + value for name, value in own.items()} for draw in range(draws)}
        runs.append(write_run(folder, label, seed, scores, statistics, method, **options))
    return runs


def read_folders(folder: Path) -> list[Scored]:
    """Read all runs of a folder."""
    return read_scored([Run.open(run) for run in sorted(folder.iterdir())], "study")
