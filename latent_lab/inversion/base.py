"""The contract of inverters: from images to codes that make them again."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace

# shows the progress of a loop: gives back what it was given, and takes a name
Track = Callable[[Iterable, str], Iterable]


def untracked(steps: Iterable, name: str) -> Iterable:
    """Return the steps as they are, without showing progress."""
    return steps


def require_number(
    key: str, value: object, low: float = 0, high: float = math.inf, *, above: bool = False, whole: bool = False
) -> None:
    """Check that a value is a finite number within its limits.

    Arguments:
        key: Name of the value in a configuration, for the error.
        value: The value.
        low, high: Its limits, which it may equal.
        above: Whether it must be greater than ``low``.
        whole: Whether it must be an integer.

    Raises:
        ValueError: It is not.
    """
    right = isinstance(value, int if whole else int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not (right and low <= value <= high and not (above and value == low)):
        kind, least = (
            "an integer" if whole else "a finite number",
            f"above {low:g}" if above else f"of at least {low:g}",
        )
        raise ValueError(
            f"{key} must be {kind} {least}{f' and at most {high:g}' if high < math.inf else ''}, got {value!r}"
        )


@dataclass
class Inverted:
    """Codes of images, and how they were found.

    Arguments:
        codes: Codes that decode to the images, N first.
        tuned: Changes of the generator's parameters for each image, by the parameter's name, each with N first; empty
            where the generator stayed as it was.
        curves: Measurements of the steps by name, each with shape :math:`(T, N)`.
    """

    codes: Codes
    tuned: dict[str, Tensor] = field(default_factory=dict)
    curves: Mapping[str, Tensor] = field(default_factory=dict)


class Inverter(ABC):
    """An algorithm that inverts a frozen generator.

    ``prefers`` lists the names of the spaces that it searches, the best first; where a generator has none of them, it
    searches the generator's first space.
    """

    prefers: tuple[str, ...] = ("w+", "w", "z")

    @abstractmethod
    def invert(
        self,
        space: LatentSpace,
        images: Tensor,
        rngs: Sequence[torch.Generator],
        track: Track = untracked,
    ) -> Inverted:
        """Find codes of images.

        The result for an image depends on the image and its ``rng`` alone, not on the others of the batch.

        Arguments:
            space: The latent space to search.
            images: Images with shape :math:`(N, C, H, W)` in [-1, 1], of the generator's resolution.
            rngs: Sources of random numbers, one for each image.
            track: Shows the progress of a loop.
        """
