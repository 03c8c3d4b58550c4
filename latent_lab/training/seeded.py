"""The part that every training shares.

A step is a function of its number; optimisers have schedules; losses and gradients are finite; checkpoints hold what is
trained and nothing else.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.utils.data import DataLoader, Dataset

from latent_lab.ops.streams import TRAINING, stream

MakeOptimiser = Callable[..., torch.optim.Optimizer]
MakeSchedule = Callable[[torch.optim.Optimizer], LRScheduler]


class SeededTraining(pl.LightningModule, ABC):
    """A training whose randomness is a function of the seed, the rank and the step alone.

    A resumed run therefore repeats an uninterrupted one. A subclass gives ``optimisers_of_run`` and ``training_step``,
    and says what its checkpoints hold (``kept``), how many optimisers take a step each batch (``optimisers``) and which
    options to change where numbers are not finite (``remedy``).

    Arguments:
        seed: Seed of all that is drawn.
        batch_size: Examples a step and rank.
        lr_decay: Share of the run, at its end, in which the learning rates fall linearly to 0.
        optimiser: Makes an optimiser of parameter groups.
        schedule: Makes the schedule of an optimiser, a step a batch; None for the fall of ``lr_decay``.
    """

    strict_loading = False  # frozen networks are not in the checkpoint
    kept: tuple[str, ...] = ("",)  # beginnings of the names in the checkpoint; all by default
    optimisers = 1  # Lightning's global_step and max_steps count the steps of all
    options = "method"  # the part of the configuration that errors name
    remedy = "a smaller method.lr"

    def __init__(
        self,
        seed: int,
        *,
        batch_size: int = 1,
        lr_decay: float = 0.0,
        optimiser: MakeOptimiser = torch.optim.Adam,
        schedule: MakeSchedule | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1 or not 0 <= lr_decay <= 1:
            raise ValueError(
                f"{self.options}.batch_size must be at least 1 and lr_decay between 0 and 1, "
                f"got {batch_size} and {lr_decay}"
            )
        self.seed, self.batch_size, self.lr_decay = seed, batch_size, lr_decay
        self.optimiser, self.schedule = optimiser, schedule

    @property
    def step(self) -> int:
        """Batches so far."""
        return self.global_step // self.optimisers

    @property
    def steps(self) -> int:
        """Batches of the whole run."""
        return self.trainer.max_steps // self.optimisers

    def rng(self, step: int, purpose: int = TRAINING) -> torch.Generator:
        """Return the source of all that a step of this rank draws."""
        return stream(self.seed, self.global_rank, step, purpose)

    # The data of a step is its number: examples are drawn where they are needed, on the device.
    def train_dataloader(self) -> DataLoader[int]:
        return DataLoader(cast(Dataset[int], range(self.steps)))

    @abstractmethod
    def optimisers_of_run(self) -> Sequence[torch.optim.Optimizer]:
        """Return the optimisers, as many as ``optimisers``."""

    def groups_optimiser(self, groups: Iterable[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make an optimiser of the groups that hold parameters, each of which has its own rate.

        Arguments:
            groups: ``params`` and ``lr`` of each.
        """
        if isinstance(self.optimiser, functools.partial) and "lr" in self.optimiser.keywords:
            raise ValueError(
                f"{self.options}.optimiser.lr must be left out, {self.options} has the learning rates beside it, "
                f"got {self.optimiser.keywords['lr']}"
            )
        return self.optimiser([group for group in groups if group["params"]])

    def configure_optimizers(self) -> list[Any]:
        return [self.scheduled(optimiser) for optimiser in self.optimisers_of_run()]

    def scheduled(self, optimiser: torch.optim.Optimizer) -> torch.optim.Optimizer | dict[str, object]:
        """Return an optimiser with its schedule as Lightning takes it."""
        if self.schedule is not None:
            schedule = self.schedule(optimiser)
        elif self.lr_decay:
            steps, share = self.steps, self.lr_decay
            schedule = LambdaLR(optimiser, lambda step: min(1.0, max(0.0, steps - step) / (share * steps)))
        else:
            return optimiser
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def stepped_optimisers(self) -> list[LightningOptimizer]:
        """Return the optimisers of a training that steps them itself, each with Lightning's count around it."""
        found = self.optimizers()
        return found if isinstance(found, list) else [found]

    def advance_schedules(self) -> None:
        """Move the learning rates on, in a training that steps its optimisers itself."""
        schedules: Any = self.lr_schedulers() or []
        for schedule in schedules if isinstance(schedules, list) else [schedules]:
            schedule.step()

    def require_finite(self, tensors: Mapping[str, Tensor]) -> None:
        """Stop the run at the first tensor that holds nan or infinity, if the loss does.

        Arguments:
            tensors: ``loss``, and what it was computed from, in the order of the computation.
        """
        if tensors["loss"].isfinite():
            return
        name = next(name for name, value in tensors.items() if not value.isfinite().all())
        raise FloatingPointError(f"{name} is not finite at step {self.step}; try {self.remedy}")

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        # an infinite gradient of a finite loss would be in the weights, and in the checkpoint, before the loss shows it
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            return  # of 16-mixed, which leaves such steps out by itself
        gradients = {p: p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None}
        values = [grad.coalesce().values() if grad.is_sparse else grad for grad in gradients.values()]
        if not values or nn.utils.get_total_norm(values).isfinite():
            return
        faulty = {p for p, value in zip(gradients, values) if not value.isfinite().all()}
        name = next((name for name, p in self.named_parameters() if p in faulty), "their norm")
        raise FloatingPointError(f"gradient of {name} is not finite at step {self.step}; try {self.remedy}")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["state_dict"] = {
            name: value for name, value in checkpoint["state_dict"].items() if name.startswith(self.kept)
        }

    def fit(self, trainer: pl.Trainer, checkpoint: Path | None = None) -> None:
        """Train until ``trainer.max_steps``, from a checkpoint of it where there is one, and stay on its device.

        Lightning takes what it has trained to the CPU.
        """
        device = trainer.strategy.root_device
        trainer.fit(self, ckpt_path=checkpoint, weights_only=True)
        self.to(device)


class ValidatedTraining(SeededTraining):
    """A seeded training with a ``validation_step``, whose data is its number too.

    Arguments:
        validation_batches: Batches a validation and rank.
        training: Arguments of :class:`SeededTraining`.
    """

    def __init__(self, validation_batches: int, **training: Any) -> None:
        super().__init__(**training)
        self.validation_batches = validation_batches

    def val_dataloader(self) -> DataLoader[int]:
        return DataLoader(cast(Dataset[int], range(self.validation_batches)))


def trained(*modules: nn.Module | None) -> list[nn.Parameter]:
    """Return the parameters of modules that are trained."""
    return [p for module in modules if module is not None for p in module.parameters() if p.requires_grad]
