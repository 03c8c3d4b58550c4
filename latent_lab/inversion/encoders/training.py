"""The contract of an encoder's training with the command that runs it."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from latent_lab.data.folder import FolderImages
from latent_lab.data.images import IdxImages
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.base import Inverter
from latent_lab.inversion.encoders.objective import EncoderObjective, ImageTerms
from latent_lab.inversion.encoders.ranger import Ranger
from latent_lab.training.seeded import MakeOptimiser, SeededTraining


class Examples(NamedTuple):
    """A batch of images to invert.

    Arguments:
        images: Images with shape :math:`(N, C, H, W)` in [-1, 1].
        latents: Latents that the images were made from, with shape :math:`(N, L, D)`; None where they are not known.
        rng: Source of the step's other random numbers.
    """

    images: Tensor
    latents: Tensor | None
    rng: torch.Generator


class EncoderTraining(SeededTraining):
    """Trains networks that invert a frozen generator. Each optimiser takes one step a batch.

    Examples are the generator's own samples, as many as there are steps, or images of a data set.

    Arguments:
        space: The space w+ of the generator.
        preview: The space w+ of a cheaper generator whose rows are the first of these, where it will do.
        objective: Weights of the loss.
        distance, identity: Networks that :class:`ImageTerms` compares images with.
        data: Images to invert, set up; None for the generator's samples.
        seed: Seed of all that is drawn.
        batch_size: Samples a step and rank; a data set has its own.
        optimiser: Makes the optimiser of parameters, with its learning rate.
        flip: Chance that an image of a data set is mirrored.
        training: Other options of :class:`SeededTraining`.
    """

    options, remedy = "encoder", "a smaller encoder.optimiser.lr"
    previews = False  # whether a cheaper generator of the same latents will do, where ``gan.preview`` has one

    def __init__(
        self,
        space: LatentSpace,
        objective: EncoderObjective,
        distance: nn.Module | None,
        identity: nn.Module | None,
        data: IdxImages | FolderImages | None,
        seed: int,
        preview: LatentSpace | None = None,
        batch_size: int = 8,
        optimiser: MakeOptimiser = Ranger,
        flip: float = 0.5,
        **training,
    ) -> None:
        super().__init__(seed, batch_size=batch_size, optimiser=optimiser, **training)
        if not 0 <= flip <= 1:
            raise ValueError(f"encoder.flip must be between 0 and 1, got {flip}")
        if objective.latents and data is not None:
            raise ValueError(
                f"encoder.objective.latents must be 0 for images whose latents nobody knows, got {objective.latents}"
            )
        self.space, self.objective, self.data, self.flip = space, objective, data, flip
        self.shown = space if preview is None else preview
        self.image_terms = ImageTerms(objective, distance, identity)
        self.automatic_optimization = False

    def train_dataloader(self) -> DataLoader:
        if self.data is None:
            return super().train_dataloader()
        return self.data.train_dataloader(self.steps, self.step, self.global_rank)

    def examples(self, batch) -> Examples:
        """Return the images that a step inverts: samples of the generator, or a batch of the data set."""
        rng = self.rng(self.step)
        with torch.no_grad():
            if self.data is None:
                codes = self.space.sample(self.batch_size, rng)
                return Examples(
                    self.shown.decode(codes.moved(codes.latents[:, : self.shown.shape[0]])), codes.latents, rng
                )
            mirrored = (torch.rand(len(batch[0]), generator=rng) < self.flip).to(batch[0].device)
            return Examples(torch.where(mirrored[:, None, None, None], batch[0].flip(3), batch[0]), None, rng)

    def descend(self, loss: Tensor) -> None:
        """Add the gradient of a loss. One that is not finite stops the run."""
        self.require_finite({"loss": loss})
        self.manual_backward(loss)

    def end_step(self, terms: dict[str, Tensor], loss: Tensor) -> None:
        """Advance the schedules, and log the terms and the loss."""
        self.advance_schedules()
        self.log("train/loss", loss.detach(), prog_bar=True)
        self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()})

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """Return the trained networks and those that they need, by the names of
        :data:`latent_lab.inversion.encoders.files.PARTS`."""

    @abstractmethod
    def known(self) -> tuple[Tensor, int]:
        """Return the mean style :math:`(L, D)` that the encoder starts at, and how many times it sees an image."""

    @abstractmethod
    def inverter(self, weights: Path) -> Inverter:
        """Return the inverter that reads the finished file."""
