"""What every discovery algorithm offers, and what it may ask for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import latent_lab.cpu_torchvision  # noqa: F401  (before lightning)

import pytorch_lightning as pl
import torch
from torchmetrics import Metric

from latent_lab.attributes.base import Attributes
from latent_lab.gans.space import LatentSpace
from latent_lab.paths.base import Paths


@dataclass
class Context:
    """What a method may take: it uses what it needs.

    Arguments:
        trainer: Trains LightningModules.
        seed: The run's seed, for streams that depend on the rank and the step.
        rng: Source of initial values.
        metrics: Makes the metrics of the validation for a number of paths and an attribute measurer.
        attributes: Measures images; may be None.
        checkpoint: Training state to continue from; may be None.
    """

    trainer: pl.Trainer
    seed: int
    rng: torch.Generator
    metrics: Callable[[int], Mapping[str, Metric]]
    attributes: Attributes | None = None
    checkpoint: Path | None = None


class Method(ABC):
    """An algorithm that discovers paths."""

    @abstractmethod
    def fit(self, space: LatentSpace, context: Context) -> Paths: ...
