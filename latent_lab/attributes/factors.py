"""Attributes that need no measuring: the true factors of a generator that knows them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latent_lab.attributes.base import Attributes
from latent_lab.gans.codes import Codes
from latent_lab.gans.shapes import Shapes
from latent_lab.gans.space import LatentSpace


def read_factors(space: LatentSpace, codes: Codes) -> Tensor:
    """Return the true factors of the codes, :math:`(N, A)`.

    Raises:
        ValueError: The generator does not know them.
    """
    if not isinstance(space.generator, Shapes):
        raise ValueError(f"dataset=shapes knows the factors of gan=shapes only, got a {type(space.generator).__name__}")
    return space.generator.factors(codes.latents)


class TrueFactors(Attributes):
    """The factors that an image was drawn from, in standard deviations over the prior."""

    names = Shapes.factor_names
    units = ("standard deviations",) * len(names)
    ranges = ((-math.inf, math.inf),) * len(names)

    def forward(self, images: Tensor) -> Tensor:
        """Raise an error: true factors cannot be read from images."""
        raise ValueError(
            "true factors are read from codes, not from images; measure them with the space that decodes them"
        )

    def measure(self, space: LatentSpace, codes: Codes, images: Tensor) -> Tensor:
        """Return the true factors of the codes, :math:`(N, A)`."""
        return read_factors(space, codes)


class FactorIdentity(nn.Module):
    r"""The factors of a shape that stay when it is moved, turned or lit differently, as an embedding.

    Each factor u becomes a point on a circle, :math:`(\cos(\pi u / 4), \sin(\pi u / 4))`, so that the cosine of two
    embeddings is the mean of :math:`\cos(\pi \Delta u / 4)`.

    Arguments:
        names: The factors that make the identity.
    """

    def __init__(self, names: Sequence[str] = ("hue", "aspect")) -> None:
        super().__init__()
        unknown = [name for name in names if name not in Shapes.factor_names]
        if unknown or not names:
            raise ValueError(f"identity.names must be among {list(Shapes.factor_names)}, got {list(names)}")
        self.index = [Shapes.factor_names.index(name) for name in names]

    def measure(self, space: LatentSpace, codes: Codes, images: Tensor) -> Tensor:
        """Return embeddings :math:`(N, 2 F)` of the codes, for F factors."""
        angle = math.pi / 4 * read_factors(space, codes)[:, self.index]
        return torch.cat([angle.cos(), angle.sin()], 1)
