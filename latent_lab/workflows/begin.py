"""How every command that trains begins: its run, its trainer, and where it continues."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import time
import warnings
from pathlib import Path

import latent_lab.cpu_torchvision  # noqa: F401  (before lightning)

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from latent_lab.runs import Run
from latent_lab.workflows.estimate import Estimate
from latent_lab.workflows.safety import RunCheckpoint

OWN = ("latent_lab", "pytorch_lightning")


def trusted(config: dict) -> DictConfig:
    """A configuration read from a folder, which may be a stranger's: what it builds must come from latent_lab or Lightning."""
    parts: list = [config]
    while parts:
        part = parts.pop()
        parts += part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
        target = part.get("_target_") if isinstance(part, dict) else None
        if target is None:
            continue
        # the name first, so that nothing else is imported; then where the object is from, for modules hold others' functions
        own = str(target).split(".")[0] in OWN and get_object(target).__module__.split(".")[0] in OWN
        if not own:
            raise ValueError(f"config.yaml of a run may name only classes of {' and '.join(OWN)}, got {target!r}")
    return OmegaConf.create(config)


def open_run(config: DictConfig, module: str) -> tuple[Run, DictConfig]:
    """A new run of the command ``python -m module``, or the one to continue with its own configuration."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    overrides = [item for item in HydraConfig.get().overrides.task if not item.startswith("run=")]
    if config.run is not None:
        run = Run.open(config.run)
        if overrides:
            raise ValueError(f"run=<folder> continues with the run's own configuration and takes no other argument, got {overrides}")
        return run, trusted(run.config())
    # the other ranks of one run, and a job that Slurm put back into the queue, find the folder that was begun
    rank = max(int(os.environ.get(name, 0)) for name in ("LOCAL_RANK", "RANK", "SLURM_PROCID"))
    patience = time.monotonic() + 60
    while rank > 0 and not (folder / "config.yaml").exists() and time.monotonic() < patience:
        time.sleep(0.1)
    if (rank > 0 or int(os.environ.get("SLURM_RESTART_COUNT", 0)) > 0) and (folder / "config.yaml").exists():
        run = Run.open(folder)
        return run, trusted(run.config())
    if "label" in config and config.label is None:
        config.label = HydraConfig.get().runtime.choices["method"]
    text = OmegaConf.to_yaml(config, resolve=True)
    run = Run.create(folder, text)
    run.write("command.txt", shlex.join([Path(sys.executable).name, "-m", module, *overrides]) + "\n")
    return run, OmegaConf.create(text)


def resume_from(run: Run) -> Path | None:
    """The training state to continue from, if there is one; names what is damaged."""
    checkpoint, complaints = run.newest_checkpoint()
    for line in complaints:
        print(f"latent_lab: {line}", file=sys.stderr)
    print(f"latent_lab: run {run.folder}" + (f", continued from {checkpoint.name}" if checkpoint else ""), flush=True)
    return checkpoint


def build_trainer(config: DictConfig, run: Run) -> pl.Trainer:
    """Lightning's trainer with the run's loggers, its checkpoints and a live progress bar."""
    # what Lightning says of workers, evaluation mode and its own products concerns no user of this command
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    folder = run.log_folder()
    loggers = [
        instantiate(part)(save_dir=str(run.folder if name == "wandb" else folder)) for name, part in (config.get("logger") or {}).items()
    ]
    callbacks = [RunCheckpoint(run, config.checkpoint_every), Estimate(), pl.callbacks.RichProgressBar(refresh_rate=10)]
    return instantiate(config.trainer, logger=loggers or False, callbacks=callbacks, default_root_dir=str(run.folder))
