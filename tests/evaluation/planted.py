"""A space whose attributes are its coordinates, and paths that try to cheat."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.gans.base import Generator
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.paths.base import Paths

DIM = 8


class Coordinates(Generator):
    """Images that show nothing, of latents from a Gaussian."""

    spaces, resolution, channels = ("z",), 2, 1

    def latent_shape(self, space: str) -> tuple[int, ...]:
        return (DIM,)

    def first_weights(self, space: str) -> list[Tensor]:
        return []

    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float = 1.0) -> Codes:
        return Codes(torch.randn(num, DIM, generator=rng))

    def decode(self, space: str, codes: Codes) -> Tensor:
        return codes.latents[:, :4].view(-1, 1, 2, 2).tanh()


class Reader(Attributes):
    """Attributes that are read off the codes: the first coordinates, one that never changes, and an angle.

    Arguments:
        scale: Factor of all of them; 0 makes them constant.
    """

    names = ("a", "b", "c", "d", "constant", "angle")
    units = ("",) * 6
    ranges = ((-10.0, 10.0),) * 6

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    @property
    def periods(self) -> tuple[float, ...]:
        return (0.0,) * 5 + (1.0,)

    def forward(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def measure(self, space: LatentSpace, codes: Codes, images: Tensor) -> Tensor:
        z = self.scale * codes.latents
        return torch.cat([z[:, :4], torch.full_like(z[:, :1], 3.0), (z[:, 4:5] / 3) % 1], 1)


class Straight(Paths):
    """Straight paths, along rows of a matrix, times a factor that may depend on the latent.

    Arguments:
        directions: Rows, with shape :math:`(K, D)`.
        scale: Factor of all amounts.
        gate: Coordinate whose sign turns the edit round; None for none.
    """

    def __init__(self, directions: Tensor, scale: float = 1.0, gate: int | None = None) -> None:
        super().__init__(DIM, len(directions))
        self.register_buffer("directions", directions)
        self.scale, self.gate = scale, gate

    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        sign = 1.0 if self.gate is None else latents[:, self.gate : self.gate + 1].sign()
        return latents + sign * self.scale * eps[:, None] * self.directions[k]


def axis(i: int) -> Tensor:
    return torch.eye(DIM)[i]


def axes(num: int = 4) -> Tensor:
    return torch.eye(DIM)[:num]
