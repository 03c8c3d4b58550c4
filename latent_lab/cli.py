"""Shared state of the commands: the outcome of runs in a sweep, and the line that a stop prints."""

from __future__ import annotations

import multiprocessing
import os
from typing import NamedTuple

from omegaconf import OmegaConf

# commands that take run=<folder> to go on
CONTINUING = ("train", "pretrain", "train_encoder", "train_fusion", "invert")

# one line for each run of this process's sweep that failed, and that was skipped; None outside of sweeps
# (latent_lab.workflows.sweep)
failures: list[str] | None = None
skipped: list[str] | None = None
running = ""  # the sweep's run of the moment: its folder within the sweep's
continues: str | None = None  # the folder of the run that has begun, which run=<folder> continues

# the new run's folder: its target, else the usual one; where a run is continued Hydra makes none, for a name with a
# slip would become one
OmegaConf.register_new_resolver(
    "new_unless", lambda run, target, usual: "." if run is not None else target or usual, replace=True
)


class Failed(NamedTuple):
    """The outcome of a sweep's run that failed in another process, as a cluster's jobs are.

    Arguments:
        text: The run's folder within the sweep's, and the error.
        skipped: Whether the method just does not apply.
    """

    text: str
    skipped: bool


class Stopped(BaseException):
    """The signal SIGTERM has come. It is no ``Exception``, so that nothing between here and the command catches it."""


def stop(number: int, frame: object) -> None:
    """Handle SIGTERM like Ctrl-C: the command ends with one line."""
    # a helper of the command, which inherited this and has nothing to say
    if multiprocessing.parent_process() is not None:
        os._exit(128 + number)
    raise Stopped


def stopped(command: str) -> str:
    """Return the line that says what is left to do after a stop."""
    if command in CONTINUING:
        return f"stopped; continue with run={continues}" if continues else "stopped before a run had begun"
    return "stopped; run the same command again: what was observed is kept" if command == "evaluate" else "stopped"
