"""Atomic checkpoints and orderly interruption, so that no run is lost."""

from __future__ import annotations

import errno
import os
import random
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from latent_lab import cli
from latent_lab.checkpoints.container import open_tree
from latent_lab.runs import Run, require_state


class CheckedStates(TorchCheckpointIO):
    """Lightning's access to training states, which reads them as every file that may be a stranger's: as plain dicts,
    lists, tensors and numbers, by :func:`latent_lab.checkpoints.container.open_tree`. Nothing else ever loads a state,
    so what is trained on is what was checked.

    Arguments:
        run: The run that the states must be of; None for any.
    """

    def __init__(self, run: Run | None = None) -> None:
        super().__init__()
        self.run = run

    def load_checkpoint(
        self, path: str | Path, map_location: object = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return the content of a training state, on the CPU.

        Arguments:
            path: The file.
            map_location, weights_only: Options of Lightning's own reader, which do not matter to this one.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is damaged, names anything but numbers and their names, or is no training state of the run.
        """
        tree = open_tree(path)
        try:
            return require_state(tree, None if self.run is None else self.run.hash_parts())
        except ValueError as error:
            raise ValueError(f"{path} cannot be continued from: {error}") from None


class RunCheckpoint(pl.Callback):
    """Callback that saves the training state every few steps and when asked to stop (Ctrl-C, SIGTERM).

    A signal is only noted: the step that runs is finished first, since half an optimiser step cannot be repeated. A
    second signal stops at once; the last save is then where the run continues.

    Arguments:
        run: The run whose folder takes the state.
        every: Steps between two saves.
    """

    def __init__(self, run: Run, every: int) -> None:
        if every < 1:
            raise ValueError(f"checkpoint_every must be at least 1, got {every}")
        self.run, self.every, self.signal = run, every, 0
        self.replaced: dict[int, Any] = {}
        # whoever put a handler of its own there (submitit, which requeues) keeps it; Lightning's comes later and gives
        # way
        usual = (signal.SIG_DFL, signal.default_int_handler, cli.stop)
        self.mine = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) in usual]

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in self.mine:
                self.replaced[number] = signal.signal(number, self.note)

    def note(self, number: int, frame: object) -> None:
        """Note a signal; the second one interrupts at once."""
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        # ranks must agree, or one would wait for the others for ever
        stop = (
            bool(self.signal)
            if trainer.world_size == 1
            else trainer.strategy.reduce_boolean_decision(bool(self.signal), all=False)
        )
        if stop or trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps:
            self.save(trainer)
        if stop:
            raise InterruptedError(
                f"stopped at step {trainer.global_step} of {trainer.max_steps}, nothing is lost; "
                f"continue with run={self.run.folder}"
            )

    def save(self, trainer: pl.Trainer) -> None:
        """Save the training state into the run's folder; the last two states are kept.

        Raises:
            OSError: if the disk is full; the message says where.
        """
        fresh = self.run.folder / "checkpoints" / ".fresh.ckpt"
        try:
            trainer.save_checkpoint(fresh)
            if trainer.is_global_zero:
                with open(fresh, "rb") as stream:
                    os.fsync(stream.fileno())
                self.run.keep_checkpoint(fresh)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            fresh.unlink(missing_ok=True)
            raise OSError(
                error.errno,
                f"no space left for {self.run.folder / 'checkpoints'} at step {trainer.global_step}; free some",
            ) from None

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        for number, handler in self.replaced.items():
            signal.signal(number, handler)
        self.replaced.clear()

    # Training draws from streams of its own; a method that uses the global sources is continued with these.
    def state_dict(self) -> dict[str, object]:
        version, numbers, gauss = random.getstate()
        state: Any = np.random.get_state()
        kind, keys, position, has_gauss, cached = state
        return {
            "run": self.run.hash_parts(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "python": [version, list(numbers), gauss],
            "numpy": [kind, keys.tolist(), position, has_gauss, cached],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        torch.set_rng_state(state["torch"].cpu())
        if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([value.cpu() for value in state["cuda"]])
        version, numbers, gauss = state["python"]
        random.setstate((version, tuple(numbers), gauss))
        np.random.set_state((state["numpy"][0], np.array(state["numpy"][1], np.uint32), *state["numpy"][2:]))
