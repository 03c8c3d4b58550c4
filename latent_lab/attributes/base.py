"""What an attribute predictor offers: named numbers measured on images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace


class Predictor(nn.Module):
    """What reads an image: its attributes, or the embedding of who or what it shows."""

    def measure(self, space: LatentSpace, codes: Codes, images: Tensor) -> Tensor:
        """What the images that ``space`` decodes from ``codes`` are read as; only a generator with known factors needs
        the codes."""
        return self(images)


class FeatureNetwork(nn.Module, ABC):
    """A frozen network whose maps say how alike two images look; differentiable down to the pixels."""

    layers: tuple[str, ...]  # names of the maps, from the image on

    @abstractmethod
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images :math:`(N, C, H, W)` in [-1, 1] to maps :math:`(N, F, h, w)` by the name of their layer."""


class Attributes(Predictor, ABC):
    """Numbers that are measured on an image.

    A predictor sets, one for each attribute: ``names``, ``units``, ``ranges`` (smallest and largest possible value) and
    ``periods`` (an angle's full turn in its unit, 0 for what does not wrap around).
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    ranges: tuple[tuple[float, float], ...]

    @property
    def periods(self) -> tuple[float, ...]:
        return (0.0,) * len(self.names)

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Images :math:`(N, C, H, W)` in [-1, 1] to attributes :math:`(N, A)`."""

    def change(self, before: Tensor, after: Tensor) -> Tensor:
        """``after - before``, the short way round where an attribute is an angle."""
        periods = torch.tensor(self.periods, dtype=before.dtype, device=before.device)
        difference = after - before
        turns = (difference / periods.where(periods > 0, torch.ones_like(periods))).round()
        return difference - turns * periods


class Together(Attributes):
    """Several predictors side by side.

    Arguments:
        parts: The predictors; no name may occur twice.
    """

    def __init__(self, parts: Sequence[Attributes]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.names, self.units, self.ranges = (
            tuple(value for part in parts for value in getattr(part, field)) for field in ("names", "units", "ranges")
        )
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise ValueError(f"parts must have different names, got {twice} twice")

    @property
    def periods(self) -> tuple[float, ...]:
        return tuple(period for part in self.parts for period in part.periods)

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([part(images) for part in self.parts], 1)

    def measure(self, space: LatentSpace, codes: Codes, images: Tensor) -> Tensor:
        return torch.cat([part.measure(space, codes, images) for part in self.parts], 1)


class Selection(Attributes):
    """Some attributes of a predictor.

    Arguments:
        attributes: The predictor.
        names: Which of its attributes, in this order.
    """

    def __init__(self, attributes: Attributes, names: Sequence[str]) -> None:
        super().__init__()
        unknown = [name for name in names if name not in attributes.names]
        if unknown or not names or len(set(names)) < len(names):
            raise ValueError(f"attributes must be different names among {list(attributes.names)}, got {list(names)}")
        if isinstance(attributes, Together):  # a part that nobody asks for is not computed
            attributes = Together([part for part in attributes.parts if set(part.names) & set(names)])
        self.attributes, self.index = attributes, [attributes.names.index(name) for name in names]
        self.names, self.units, self.ranges = (
            tuple(getattr(attributes, field)[i] for i in self.index) for field in ("names", "units", "ranges")
        )

    @property
    def periods(self) -> tuple[float, ...]:
        return tuple(self.attributes.periods[i] for i in self.index)

    def forward(self, images: Tensor) -> Tensor:
        return self.attributes(images)[:, self.index]

    def measure(self, space: LatentSpace, codes: Codes, images: Tensor) -> Tensor:
        return self.attributes.measure(space, codes, images)[:, self.index]


def select_attributes(attributes: Attributes | None, names: Sequence[str] | None) -> Attributes | None:
    """Return the predictor of some attributes, or of all of them where ``names`` is None; None where there is none."""
    return attributes if attributes is None or names is None else Selection(attributes, list(names))
