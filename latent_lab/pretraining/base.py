"""What every training of a generator offers the command that runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from latent_lab.attributes.classifier import Classifier
from latent_lab.data.folder import FolderImages
from latent_lab.data.images import IdxImages
from latent_lab.gans.base import Generator


class Pretraining(pl.LightningModule, ABC):
    """Trains a generator from scratch with two optimisers, of which each takes one step a batch.

    Arguments:
        generator: The generator to train.
        data: Images to train on, set up.
        seed: Seed of all that is drawn: of a step it depends on the step and the rank alone.
    """

    def __init__(self, generator: Generator, data: IdxImages | FolderImages, seed: int) -> None:
        super().__init__()
        self.generator, self.data, self.seed = generator.train().requires_grad_(True), data, seed
        self.automatic_optimization = False

    @property
    def step(self) -> int:
        """Steps of the generator; Lightning's ``global_step`` and ``max_steps`` count the other optimiser's as well."""
        return self.global_step // 2

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.trainer.max_steps // 2

    def train_dataloader(self) -> DataLoader:
        return self.data.train_dataloader(self.steps, self.step, self.global_rank)

    def scheduled(self, optimiser: torch.optim.Optimizer):
        """The optimiser, with a learning rate that falls linearly to 0 over the last half of the run."""
        steps = self.steps
        decay = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, 2 * max(0.0, 1 - step / steps)))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": decay, "interval": "step"}}

    @abstractmethod
    def finish(self, batches: int) -> Generator:
        """The trained generator, with the statistics of its batch normalisation measured anew on ``batches``
        batches."""

    def judged(
        self, generator: Generator, classifier: Classifier | None
    ) -> tuple[dict[str, object], dict[str, Tensor]]:
        """Scores of the finished generator that only this training has, and pictures :math:`(N, C, H, W)` by name, in
        rows of 20."""
        return {}, {}
