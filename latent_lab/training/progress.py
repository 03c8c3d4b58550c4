"""The progress of a training."""

from __future__ import annotations

import pytorch_lightning as pl

from latent_lab.progress import Progress


class StepProgress(pl.callbacks.ProgressBar):
    """Progress bar of the step, the losses that the training logs for it, and the time left; see
    :mod:`latent_lab.progress`."""

    def __init__(self) -> None:
        super().__init__()
        self.progress: Progress | None = None

    def disable(self) -> None:
        """Show nothing; Lightning calls it on all ranks but the first, which alone shows anything."""

    def enable(self) -> None:
        """Show the progress, as the first rank always does."""

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            counted = getattr(module, "optimisers", 1)  # a batch counts once for each optimiser
            self.progress = Progress("training", trainer.max_steps // counted, trainer.global_step // counted)
            self.progress.__enter__()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        if self.progress is not None:
            done = trainer.global_step // getattr(module, "optimisers", 1)
            self.progress.update(done, lambda: describe_losses(trainer.progress_bar_metrics))

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self.close()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self.close()

    def close(self) -> None:
        """End the bar, if there is one."""
        if self.progress is not None:
            self.progress.__exit__()
            self.progress = None


def describe_losses(metrics: dict[str, float]) -> str:
    """Return the loss, or where a training has several, all that it logs for the bar.

    >>> describe_losses({"train/critic": 1.25, "train/generator": -0.5})
    'critic 1.25, generator -0.5'
    """
    chosen = {"train/loss": metrics["train/loss"]} if "train/loss" in metrics else metrics
    return ", ".join(f"{name.removeprefix('train/')} {float(value):.4g}" for name, value in chosen.items())
