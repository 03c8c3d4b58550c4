"""What every application of Image2StyleGAN++ offers: images and a mask go in, codes of a new image come out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.base import Track, require_number, untracked
from latent_lab.inversion.optimisation.masked import BuildingBlocks, mean_codes, require_rows
from latent_lab.inversion.optimisation.terms import Term


class Target(NamedTuple):
    """What the result shall look like somewhere.

    Arguments:
        name: For the scores.
        image: With shape :math:`(1, C, H, W)`, or one for each result.
        mask: Where, with shape :math:`(1, 1, H, W)`; None for everywhere.
    """

    name: str
    image: Tensor
    mask: Tensor | None


@dataclass
class Composition:
    """What an application made.

    Arguments:
        codes: They decode to the results, R of them.
        inputs: The images that went in, and what was made of them, by title, each with shape :math:`(1, C, H, W)`.
        targets: What the results are scored against.
        curves: Losses by name, each with shape :math:`(T, R)`.
        space: What space the codes are of.
    """

    codes: Codes
    inputs: dict[str, Tensor]
    targets: list[Target]
    curves: Mapping[str, Tensor] = field(default_factory=dict)
    space: str = "w+"


class Application(ABC):
    """A recipe of the building blocks.

    Arguments:
        blocks: The building blocks.
        seam: Standard deviation in pixels of the blur of the mask's seam.
    """

    num_images: int  # how many it takes
    takes_mask: bool | None = True  # None: with or without

    def __init__(self, blocks: BuildingBlocks, seam: float = 0.0) -> None:
        require_number("seam", seam)
        self.blocks, self.seam = blocks, seam

    def compose(
        self,
        space: LatentSpace,
        images: Tensor,
        mask: Tensor | None,
        rng: torch.Generator,
        codes: Codes | None = None,
        track: Track = untracked,
    ) -> Composition:
        """Makes the new image.

        Arguments:
            space: The space w+ of a generator.
            images: As many as it takes, with shape :math:`(K, C, H, W)` in [-1, 1], of the generator's resolution.
            mask: With shape :math:`(1, 1, H, W)` in [0, 1]; None where it takes none.
            rng: Of what is drawn.
            codes: Of the images, where they are known, as of samples: they are not searched for.
            track: Shows the progress of a loop.
        """
        name, size = type(self).__name__, space.generator.resolution
        require_rows(space)
        self.require_number(len(images))
        if self.takes_mask == (mask is None):
            raise ValueError(
                f"mask must {'be given' if self.takes_mask else 'be null'} for {name}, "
                f"got {'none' if mask is None else 'one'}"
            )
        if images.shape[1:] != (space.generator.channels, size, size) or (
            mask is not None and mask.shape != (1, 1, size, size)
        ):
            raise ValueError(
                f"images and mask must be of {size} x {size} pixels and {space.generator.channels} channels as the "
                f"generator's, got {tuple(images.shape)}{'' if mask is None else f' and {tuple(mask.shape)}'}"
            )
        return self.make(space, images, mask, rng, codes, track)

    def require_number(self, num: int) -> None:
        """An error unless the number of images is right."""
        if num != self.num_images:
            raise ValueError(f"images or seeds must be {self.num_images} for {type(self).__name__}, got {num}")

    @abstractmethod
    def make(
        self,
        space: LatentSpace,
        images: Tensor,
        mask: Tensor | None,
        rng: torch.Generator,
        codes: Codes | None,
        track: Track,
    ) -> Composition:
        """As :meth:`compose`, of what it has checked."""

    def embedded(
        self, space: LatentSpace, images: Tensor, codes: Codes | None, track: Track, noise: bool = False
    ) -> Codes:
        """Codes of images in w+, from the mean, where they are not known; with ``noise`` their noise maps too, where
        the generator has some."""
        if codes is not None:
            return codes
        found, _ = self.blocks.w_plus(space, mean_codes(space, len(images)), self.blocks.likeness(images), track=track)
        if noise and space.generator.noise_maps():
            found, _ = self.blocks.noise(space, found, self.blocks.pixels_of(images), track=track)
        return found

    def finished(
        self, space: LatentSpace, codes: Codes, rows: Mapping[str, Tensor], terms: Sequence[Term], track: Track
    ) -> tuple[Codes, dict[str, Tensor]]:
        """The last step of the recipes: noise maps by the terms, where the generator has some; with the losses of both
        steps."""
        if not space.generator.noise_maps():
            return codes, {"w+": rows["loss"]}
        codes, noise = self.blocks.noise(space, codes, terms, track=track)
        return codes, {"w+": rows["loss"], "noise": noise["loss"]}


def rows_at(num: int, shares: Sequence[tuple[float, float]]) -> list[int]:
    """Rows of w+ at the same depths in a network of ``num`` rows: those whose middle lies in one of the shares."""
    return [row for row in range(num) if any(first <= (row + 0.5) / num < last for first, last in shares)]
