"""Contracts of predictors: attributes, which are named numbers measured on images, and networks that compare images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace


class Predictor(nn.Module):
    """A network that reads images: their attributes, or an embedding of who or what they show."""

    def measure(self, space: LatentSpace, codes: Codes, images: Tensor) -> Tensor:
        """Return what the predictor reads off the images.

        Arguments:
            space: The latent space that decoded them.
            codes: Their codes. Only predictors that know the generator's true factors use them.
            images: The images :math:`(N, C, H, W)` in [-1, 1].
        """
        return self(images)


class FeatureNetwork(nn.Module, ABC):
    """A frozen network whose maps tell how alike two images look. It is differentiable down to the pixels."""

    layers: tuple[str, ...]  # names of the maps, from the image on

    @abstractmethod
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return maps :math:`(N, F, h, w)`, by the name of their layer, of images :math:`(N, C, H, W)` in [-1, 1]."""


class Attributes(Predictor, ABC):
    """Named numbers that are measured on an image.

    A predictor sets, one for each attribute: ``names``, ``units``, ``ranges`` (smallest and largest possible value) and
    ``periods`` (an angle's full turn in its unit, 0 otherwise).
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    ranges: tuple[tuple[float, float], ...]

    @property
    def periods(self) -> tuple[float, ...]:
        """The full turn of each attribute that is an angle, in its unit; 0 for the others."""
        return (0.0,) * len(self.names)

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Return attributes :math:`(N, A)` of images :math:`(N, C, H, W)` in [-1, 1]."""

    def change(self, before: Tensor, after: Tensor) -> Tensor:
        """Return ``after - before``, the short way round for attributes that are angles."""
        periods = torch.tensor(self.periods, dtype=before.dtype, device=before.device)
        difference = after - before
        turns = (difference / periods.where(periods > 0, torch.ones_like(periods))).round()
        return difference - turns * periods


class Together(Attributes):
    """Several predictors that are read as one.

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
        """The full turn of each attribute that is an angle, in its unit; 0 for the others."""
        return tuple(period for part in self.parts for period in part.periods)

    def forward(self, images: Tensor) -> Tensor:
        """Return the attributes of all parts, :math:`(N, A)`, in the order of the parts."""
        return torch.cat([part(images) for part in self.parts], 1)

    def measure(self, space: LatentSpace, codes: Codes, images: Tensor) -> Tensor:
        """Return the attributes of all parts, :math:`(N, A)`, for parts that need the codes as well."""
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
        """The full turn of each attribute that is an angle, in its unit; 0 for the others."""
        return tuple(self.attributes.periods[i] for i in self.index)

    def forward(self, images: Tensor) -> Tensor:
        """Return the selected attributes, :math:`(N, A)`."""
        return self.attributes(images)[:, self.index]

    def measure(self, space: LatentSpace, codes: Codes, images: Tensor) -> Tensor:
        """Return the selected attributes, :math:`(N, A)`, of predictors that need the codes as well."""
        return self.attributes.measure(space, codes, images)[:, self.index]


def select_attributes(attributes: Attributes | None, names: Sequence[str] | None) -> Attributes | None:
    """Return the predictor of some attributes, or of all of them where ``names`` is None; None where there is none."""
    return attributes if attributes is None or names is None else Selection(attributes, list(names))
