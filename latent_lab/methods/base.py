"""What every discovery algorithm offers, and what it may ask for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytorch_lightning as pl
import torch

from latent_lab.attributes.base import Attributes
from latent_lab.devices import put_on
from latent_lab.errors import NotApplicable
from latent_lab.gans.space import LatentSpace
from latent_lab.paths.base import Paths

if TYPE_CHECKING:
    from latent_lab.evaluation.validation import Validation


@dataclass
class Context:
    """What a method may take: it uses what it needs.

    Arguments:
        trainer: Trains LightningModules.
        seed: The run's seed, for streams that depend on the rank and the step.
        rng: Source of initial values.
        validation: Makes what measures the paths of a training in its validation; None for no more than what the
            training itself measures.
        attributes: Measures images; may be None.
        checkpoint: Training state to continue from; may be None.
        measures: Makes a predictor of the dataset's attributes by their names, None for all of them; None where it has
            none.
        findings: What a method measured while it fitted, kept with the run (``findings.json``); ``names``: what each
            path was made for, an attribute or anything else, in their order.
    """

    trainer: pl.Trainer
    seed: int
    rng: torch.Generator
    validation: Callable[[LatentSpace, Paths], Validation] | None = None
    attributes: Attributes | None = None
    checkpoint: Path | None = None
    measures: Callable[[Sequence[str] | None], Attributes | None] = lambda names: None
    findings: dict = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where everything is computed."""
        return self.trainer.strategy.root_device

    def required_attributes(self, names: Sequence[str] | None) -> Attributes:
        """The attributes of these names, or all, on the device of the training; an error where the dataset has none."""
        attributes = self.measures(names)
        if attributes is None:
            raise NotApplicable(
                "method: attributes guide this one, and this dataset measures none; choose another dataset="
            )
        put_on(self.device, attributes)
        return attributes.eval()


class Method(ABC):
    """An algorithm that discovers paths.

    ``fit`` raises :class:`NotApplicable` where it does not work in the space, or with the dataset.

    ``previews``: a cheaper generator of the same latents will do, where ``gan.preview`` has one.
    """

    previews: bool = False

    @abstractmethod
    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Return the paths. The space, and all networks that the method holds, are on one device."""


def fit_on_device(method: Method, space: LatentSpace, context: Context) -> Paths:
    """Fit a method with everything on the trainer's device, and return the paths on the CPU, in eval mode.

    The space stays on that device, where it is evaluated.
    """
    put_on(context.device, space, method)
    paths = method.fit(space, context)
    put_on(context.device, space)  # Lightning takes what it has trained to the CPU
    return paths.cpu().eval()


def vector_size(space: LatentSpace) -> int:
    """The size D of a space whose latents are vectors; an error for the others."""
    if len(space.shape) != 1:
        raise NotApplicable(
            "gan.space must be one whose latents are vectors, as z or w, for this method, "
            f"got {space.name!r} of {space.shape}"
        )
    return space.shape[0]


def require_amounts(amounts: Sequence[float]) -> None:
    """An error unless these are a smallest and a largest magnitude, both above 0."""
    if len(amounts) != 2 or not 0 < amounts[0] <= amounts[1]:
        raise ValueError(f"method.amounts must be two numbers with 0 < smallest <= largest, got {list(amounts)}")
