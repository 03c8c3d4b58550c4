"""The beginning of every command that trains: its run, its trainer, and the state that it continues from."""

from __future__ import annotations

import logging
import shlex
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from latent_lab import cli
from latent_lab.claims import wait_for_claim
from latent_lab.configuration.machine import require_machine
from latent_lab.configuration.validate import validate
from latent_lab.console import log
from latent_lab.installation import read_choice
from latent_lab.runs import Run

if TYPE_CHECKING:
    import pytorch_lightning as pl

OWN = {  # what only the configuration of a command has
    "train": "method",
    "pretrain": "statistics_batches",
    "train_encoder": "encoder",
    "train_fusion": "fusion",
    "invert": "inverter",
}
PLACES = ("weights", "backbone", "files", "folder", "region", "mask")  # keys of files that a configuration names


def absolute_places(value: object, key: str = "") -> object:
    """Return plain values in which files that exist here have absolute paths, for the run is opened from other folders
    too."""
    if isinstance(value, dict):
        return {name: absolute_places(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [absolute_places(part, key) for part in value]
    if key in PLACES and isinstance(value, str) and value and Path(value).expanduser().exists():
        return str(Path(value).expanduser().absolute())
    return value


def own_overrides() -> list[str]:
    """Return the overrides of the command line, without those that only say which run is continued."""
    return [item for item in HydraConfig.get().overrides.task if not item.startswith(("run=", "weights="))]


def asked_folder() -> bool:
    """Return whether the command line says which folder a new run gets, so that no other will do."""
    given = HydraConfig.get().overrides
    swept = HydraConfig.get().mode == RunMode.MULTIRUN  # whose target is the folder of all its runs
    return any(item.startswith(("hydra.run.dir=", "hydra.sweep.subdir=")) for item in given.hydra) or (
        not swept and any(item.startswith("target=") for item in given.task)
    )


def open_run(config: DictConfig, module: str) -> tuple[Run, DictConfig]:
    """Open the run to continue with its own configuration, or create a new run of the command ``python -m module``."""
    folder, overrides = Path(HydraConfig.get().runtime.output_dir), own_overrides()
    if config.run is not None:
        if overrides:
            raise ValueError(
                "run=<folder> continues with the run's own configuration and takes no other argument but "
                f"weights=<file>, got {overrides}"
            )
        return continue_run(Run.open(config.run, config.get("weights")), module)
    if config.get("weights") is not None:
        raise ValueError(
            f"weights goes with run=<folder>; a new run takes gan.weights=<file>, got weights={config.weights}"
        )
    found = wait_for_claim(folder)
    if found is not None:
        return continue_run(Run.open(found), module)
    if "label" in config and config.label is None:
        config.label = HydraConfig.get().runtime.choices["method"]
    if config.get("target") is not None:
        config.target = None  # where a run lies is no part of what it is
        overrides = [item for item in overrides if not item.startswith("target=")]
    text = OmegaConf.to_yaml(absolute_places(OmegaConf.to_container(config, resolve=True)))
    run = Run.create(folder, text, fixed=asked_folder())
    run.write("command.txt", shlex.join([Path(sys.executable).name, "-m", module, *overrides]) + "\n")
    cli.continues = str(run.folder)
    return run, OmegaConf.create(text)  # the user's own, who may name classes and addresses that no folder may


def continue_run(run: Run, module: str) -> tuple[Run, DictConfig]:
    """Return an existing run with its own configuration, which may be a stranger's."""
    config, own = run.read_config(), OWN[module.rpartition(".")[2]]
    if own not in config:
        raise ValueError(f"run must be a folder that {module} made, got {run.folder}, whose configuration has no {own}")
    try:
        validate(config, module.rpartition(".")[2])
        require_machine(config)
    except ValueError as error:
        raise ValueError(f"{run.folder / 'config.yaml'}: {error}") from None
    cli.continues = str(run.folder)
    return run, OmegaConf.create(config)


def resume_from(run: Run) -> Path | None:
    """Return the training state to continue from, or None. Damaged ones are named in a warning."""
    checkpoint, complaints = run.newest_checkpoint()
    for line in complaints:
        log.warning(line)
    log.info(f"run {run.folder}" + (f", continued from {checkpoint.name}" if checkpoint else ""))
    return checkpoint


def build_trainer(config: DictConfig, run: Run) -> pl.Trainer:
    """Return Lightning's trainer with the run's loggers and callbacks; it reads no training state but the run's."""
    from latent_lab.training.checkpointing import CheckedStates  # here, for it imports Lightning, which takes seconds

    # what Lightning says of workers, evaluation mode and its own products concerns no user of this command
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    folder = run.choose_log_folder()
    loggers = [
        instantiate(part)(save_dir=str(run.folder if name == "wandb" else folder))
        for name, part in (config.get("logger") or {}).items()
    ]
    if "callbacks" not in config:  # of version 0.1.0
        config = OmegaConf.merge(config, {"callbacks": read_choice("callbacks", "default")})
    callbacks = [
        instantiate(part)(run=run) if part.get("_partial_") else instantiate(part)
        for part in (config.callbacks or {}).values()
    ]
    options = {"logger": loggers or False, "callbacks": callbacks, "default_root_dir": str(run.folder)}
    trainer: pl.Trainer = instantiate(config.trainer, **options)
    trainer.strategy.checkpoint_io = CheckedStates(run)
    return trainer
