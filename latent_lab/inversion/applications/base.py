"""The contract of the applications of Image2StyleGAN++: from images and a mask to the codes of a new image."""

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
    """An image that the results are compared with, everywhere or within a mask.

    Arguments:
        name: Name of the comparison in the scores.
        image: The image, with shape :math:`(1, C, H, W)`, or one for each result.
        mask: Where it is compared, with shape :math:`(1, 1, H, W)` in [0, 1]; None for everywhere.
    """

    name: str
    image: Tensor
    mask: Tensor | None


@dataclass
class Composition:
    """The results of an application, with the images that they come from.

    Arguments:
        codes: Codes that decode to the results, R of them.
        inputs: The images that were given, and those made from them on the way, by title, each with shape :math:`(1, C,
            H, W)`.
        targets: Images that the results are scored against.
        curves: Losses by name, each with shape :math:`(T, R)`.
        space: Name of the codes' space.
    """

    codes: Codes
    inputs: dict[str, Tensor]
    targets: list[Target]
    curves: Mapping[str, Tensor] = field(default_factory=dict)
    space: str = "w+"


class Application(ABC):
    """A recipe that makes a new image with the building blocks of Image2StyleGAN++.

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
        """Make the new image.

        Arguments:
            space: The space w+ of a generator.
            images: As many images as the application takes, with shape :math:`(K, C, H, W)` in [-1, 1], of the
                generator's resolution.
            mask: The mask, with shape :math:`(1, 1, H, W)` in [0, 1]; None where the application takes none.
            rng: Source of random numbers.
            codes: Codes of the images where they are known, as those of samples are: they are not searched for then.
            track: Shows the progress of a loop.

        Raises:
            ValueError: The space, the number of images or the mask is not as the application needs it.
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
        """Raise a ValueError unless the number of images is the one that the application takes."""
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
        """Make the new image as :meth:`compose` does, from arguments that are checked already."""

    def embed(
        self, space: LatentSpace, images: Tensor, codes: Codes | None, track: Track, noise: bool = False
    ) -> Codes:
        """Return the codes of images in w+: the known ones, or those that a search from the mean finds. With ``noise``
        the noise maps are searched for too, where the generator has some."""
        if codes is not None:
            return codes
        found, _ = self.blocks.w_plus(space, mean_codes(space, len(images)), self.blocks.likeness(images), track=track)
        if noise and space.generator.noise_maps():
            found, _ = self.blocks.noise(space, found, self.blocks.pixels_of(images), track=track)
        return found

    def finish(
        self, space: LatentSpace, codes: Codes, rows: Mapping[str, Tensor], terms: Sequence[Term], track: Track
    ) -> tuple[Codes, dict[str, Tensor]]:
        """Take the last step of the recipes: fit the noise maps to the terms, where the generator has some. Return the
        codes, and the losses of both steps by name."""
        if not space.generator.noise_maps():
            return codes, {"w+": rows["loss"]}
        codes, noise = self.blocks.noise(space, codes, terms, track=track)
        return codes, {"w+": rows["loss"], "noise": noise["loss"]}


def rows_at(num: int, shares: Sequence[tuple[float, float]]) -> list[int]:
    """Return the rows of w+ at the same depths in a network of ``num`` rows: those whose middle lies in one of the
    shares."""
    return [row for row in range(num) if any(first <= (row + 0.5) / num < last for first, last in shares)]
