"""The contract of discovery methods, and what a command hands them."""

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
    """Everything that a command hands to a method, which takes what it needs.

    Arguments:
        trainer: Trains LightningModules.
        seed: The run's seed, for streams that depend on the rank and the step.
        rng: Source of initial values.
        metrics: Makes the metrics of the validation for a number of paths and an attribute measurer.
        attributes: Measures images; may be None.
        checkpoint: Training state to continue from; may be None.
        measures: Makes a predictor of the dataset's attributes by their names, None for all of them; returns None if
            the dataset measures none.
        findings: Numbers that a method measured while it fitted, kept with the run (``findings.json``). ``names`` says
            what each path was made for, in their order.
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
        """The device on which everything is computed."""
        return self.trainer.strategy.root_device

    def require_attributes(self, names: Sequence[str] | None) -> Attributes:
        """Return the attributes of these names, or all, on the trainer's device.

        Raises:
            NotApplicable: The dataset measures none.
        """
        attributes = self.measures(names)
        if attributes is None:
            raise NotApplicable(
                "method: attributes guide this one, and this dataset measures none; choose another dataset="
            )
        put_on(self.device, attributes)
        return attributes.eval()


class Method(ABC):
    """An algorithm that discovers paths.

    ``previews`` tells whether a cheaper generator of the same latents will do, if ``gan.preview`` has one.

    ``seeded`` tells whether two seeds give two results; where they do not, one fit is all that there is to repeat.

    ``supervised`` tells whether the paths were found with a predictor of attributes, so that scores by the same
    predictor favour them.

    ``reference`` tells that the row is there for comparison, and takes no part in it: random directions, oracles.
    """

    previews: bool = False
    seeded: bool = True
    supervised: bool = False
    reference: bool = False

    @abstractmethod
    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Discover paths in a latent space.

        Raises:
            NotApplicable: The method does not work in this space, or with this dataset.
        """


def fit_on_device(method: Method, space: LatentSpace, context: Context) -> Paths:
    """Fit a method with everything on the trainer's device, and return the paths on the CPU, in eval mode.

    The space stays on that device, where it is evaluated.
    """
    put_on(context.device, space, method)
    paths = method.fit(space, context)
    put_on(context.device, space)  # Lightning takes what it has trained to the CPU
    return paths.cpu().eval()


def require_vector_size(space: LatentSpace) -> int:
    """Return the size D of a space whose latents are vectors.

    Raises:
        NotApplicable: The latents have another shape.
    """
    if len(space.shape) != 1:
        raise NotApplicable(
            "gan.space must be one whose latents are vectors, as z or w, for this method, "
            f"got {space.name!r} of {space.shape}"
        )
    return space.shape[0]


def require_amounts(amounts: Sequence[float]) -> None:
    """Check that these are a smallest and a largest magnitude, both above 0.

    Raises:
        ValueError: They are not.
    """
    if len(amounts) != 2 or not 0 < amounts[0] <= amounts[1]:
        raise ValueError(f"method.amounts must be two numbers with 0 < smallest <= largest, got {list(amounts)}")
