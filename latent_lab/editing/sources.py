"""The pictures to edit: samples by their seeds, or the photographs of an inversion."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from latent_lab.editing.inversions import Inversions
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.loading import load_space_and_paths, require_match
from latent_lab.paths.base import Paths
from latent_lab.runs import Run, hash_weights


@dataclass
class Picture:
    """One image to edit.

    Arguments:
        name: Name of the files written for it.
        space: Space of its codes, on the generator that was tuned for it, if one was.
        codes: Codes of this one image.
        target: The photograph :math:`(1, C, H, W)` in [-1, 1] that the codes were found for; None for a sample.
    """

    name: str
    space: LatentSpace
    codes: Codes
    target: Tensor | None = None


class Source(ABC):
    """Pictures of one latent space, by name, opened one at a time.

    Arguments:
        space: The latent space of all of them.
        names: Their names, in order.
    """

    def __init__(self, space: LatentSpace, names: Sequence[str]) -> None:
        self.space, self.names = space, list(names)

    @abstractmethod
    def open_picture(self, name: str) -> Picture:
        """Return the picture of a name, with its codes on the space's device."""


class Samples(Source):
    """Samples of the prior, each a function of its seed alone."""

    def __init__(self, space: LatentSpace, seeds: Sequence[int]) -> None:
        if not seeds or any(type(seed) is not int or seed < 0 for seed in seeds) or len(set(seeds)) < len(seeds):
            raise ValueError(
                f"source must be an inversion's folder, or different seeds from 0 such as [0, 1, 2], got {list(seeds)}"
            )
        super().__init__(space, [f"seed{seed}" for seed in seeds])

    def open_picture(self, name: str) -> Picture:
        rng = torch.Generator().manual_seed(int(name.removeprefix("seed")))
        return Picture(name, self.space, self.space.sample(1, rng))


class InvertedPictures(Source):
    """The images of an inversion's folder."""

    def __init__(self, inversions: Inversions, space: LatentSpace, names: Sequence[str] | None) -> None:
        known = list(inversions.list_names())
        names = known if names is None else [str(name) for name in names]
        strange = [name for name in names if name not in known]
        if strange or not names:
            raise ValueError(f"images must be of the inversion, {known[:40]}, or null for all, got {names[:8]}")
        super().__init__(space, names)
        self.inversions = inversions

    def open_picture(self, name: str) -> Picture:
        device = self.space.device
        codes = self.inversions.codes(name).to(device)
        return Picture(
            name, self.inversions.tuned_space(self.space, name), codes, self.inversions.target(name)[None].to(device)
        )


def open_source(
    source: str | int | Sequence[int], images: Sequence[str] | None, run: Run
) -> tuple[Source, Paths, dict]:
    """Open the pictures to edit and the run's paths. Return both, with the paths' metadata.

    Arguments:
        source: An inversion's folder; a seed, or several.
        images: Names of an inversion's images; None for all.
        run: The run that the paths are of.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: Pictures and paths are of two generators, or images are asked for where the source is seeds.
    """
    if not isinstance(source, str):
        if images is not None:
            raise ValueError(f"images must be null where source is seeds, got {list(images)}")
        space, paths, metadata = load_space_and_paths(run)
        return Samples(space, [source] if isinstance(source, int) else list(source)), paths, metadata
    if not Path(source).is_dir():
        raise FileNotFoundError(
            f"source must be an inversion's folder, or seeds such as [0, 1, 2], got {source!r}, which is no folder"
        )
    inversions = Inversions.open(source, run.weights)
    paths, metadata = run.load_paths()
    space = inversions.space()
    found = hash_weights(space.generator)
    if found != metadata["generator"]:
        raise ValueError(
            f"run must be of the generator that source was inverted on, whose hash is {found[:12]}, "
            f"got {run.folder} of {metadata['generator'][:12]}"
        )
    require_match(paths, metadata["space"], space.generator, run)
    return InvertedPictures(inversions, space, images), paths, metadata
