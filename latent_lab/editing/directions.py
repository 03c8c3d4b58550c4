"""A run's straight paths as a file of directions, in the formats that other repositories read."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from latent_lab.checkpoints.directions import FORMATS, directions_bytes
from latent_lab.console import log
from latent_lab.gans.space import LatentSpace
from latent_lab.gans.styled import StyleGenerator
from latent_lab.loading import load_space_and_paths
from latent_lab.naming import find_path
from latent_lab.paths.base import Paths
from latent_lab.runs import Run, write_atomically


def directions_of(space: LatentSpace, paths: Paths) -> Tensor:
    """Return the steps of an amount of 1 along straight paths, with shape :math:`(K, D)`, or :math:`(K, L, D)` where
    the layers of w+ move differently."""
    if not paths.straight:
        raise ValueError(
            f"run must hold straight paths to be written as directions, got {type(paths).__name__}, "
            "whose steps depend on the latent"
        )
    steps = paths.fan(torch.zeros(1, *space.shape), 1.0)[0]
    return steps[:, 0] if steps.ndim == 3 and (steps == steps[:, :1]).all() else steps


def mean_latent(space: LatentSpace) -> Tensor:
    """Return the mean latent :math:`(D,)` of a space: that of the styles in w and w+, 0 elsewhere."""
    if isinstance(space.generator, StyleGenerator) and space.name in ("w", "w+"):
        return space.generator.mapping.mean
    return torch.zeros(space.shape[-1])


def write_directions(folder: str, path: str | int | None, target: Path, weights: str | None = None) -> None:
    """Write the directions of a run, or one of them, to ``target``, which must not exist."""
    if target.suffix not in FORMATS or target.exists():
        raise FileExistsError(
            f"target must be a new file that ends in one of {FORMATS} for a run's directions, got {str(target)!r}"
        )
    run = Run.open(folder, weights)
    space, paths, _ = load_space_and_paths(run)
    directions = directions_of(space, paths)
    if path is not None:
        directions = directions[find_path(run, paths, str(path))][None]
    write_atomically(target, directions_bytes(directions, mean_latent(space), target.suffix))
    log.info(f"{len(directions)} directions of space {space.name}, {tuple(directions.shape)}, in {target}")
