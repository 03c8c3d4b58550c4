"""The contract of a generator's training with the command that runs it."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor
from torch.utils.data import DataLoader

from latent_lab.attributes.classifier import Classifier
from latent_lab.data.folder import FolderImages
from latent_lab.data.images import IdxImages
from latent_lab.gans.base import Generator
from latent_lab.training.seeded import SeededTraining


class Pretraining(SeededTraining):
    """Trains a generator from scratch with two optimisers, each of which takes one step a batch.

    Arguments:
        generator: The generator to train.
        data: Images to train on, set up.
        seed: Seed of all that is drawn.
        lr_decay: Share of the run, at its end, in which the learning rates fall linearly to 0.
        training: Other options of :class:`SeededTraining`.
    """

    strict_loading = True  # all is trained
    optimisers, options, remedy = 2, "gan.pretraining", "a smaller gan.pretraining.lr_generator"

    def __init__(
        self, generator: Generator, data: IdxImages | FolderImages, seed: int, lr_decay: float = 0.5, **training
    ) -> None:
        super().__init__(seed, lr_decay=lr_decay, **training)
        self.generator, self.data = generator.train().requires_grad_(True), data
        self.automatic_optimization = False

    def train_dataloader(self) -> DataLoader:
        return self.data.train_dataloader(self.steps, self.step, self.global_rank)

    @abstractmethod
    def finish(self, batches: int) -> Generator:
        """Return the trained generator, with the statistics of its batch normalisation measured anew on ``batches``
        batches."""

    def judge(self, generator: Generator, classifier: Classifier | None) -> tuple[dict[str, object], dict[str, Tensor]]:
        """Return the scores that only this training has for the finished generator, and pictures :math:`(N, C, H, W)`
        by name, in rows of 20."""
        return {}, {}
