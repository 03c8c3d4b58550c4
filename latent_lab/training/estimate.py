"""The cost of a long run, said at its beginning."""

from __future__ import annotations

import resource
import sys
import time

import pytorch_lightning as pl
import torch

from latent_lab.console import log


class Estimate(pl.Callback):
    """Callback that says how much time and memory a long run will take, measured on its second step.

    Arguments:
        minutes: Shortest run of which it is said.
    """

    def __init__(self, minutes: float = 10.0) -> None:
        self.minutes, self.begun, self.first, self.steps = minutes, 0.0, 0, 0

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        self.begun, self.first = time.monotonic(), trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        self.steps += 1  # of this attempt; the first one warms up
        if self.steps != 2 or not trainer.is_global_zero or trainer.max_steps < 0:
            return
        if module.device.type == "cuda":
            torch.cuda.synchronize()
            memory = torch.cuda.max_memory_allocated(module.device) / 2**30
        else:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
        step = time.monotonic() - self.begun
        counted = max(trainer.global_step - self.first, 1)  # a batch counts once for each optimiser
        steps = (trainer.max_steps - trainer.global_step) // counted
        left = steps * step / 60
        if left > self.minutes:
            text = f"{left:.0f} minutes" if left < 120 else f"{left / 60:.1f} hours"
            log.info(f"about {text} for the {steps} steps left ({step:.3g} s each), {memory:.1f} GiB")
