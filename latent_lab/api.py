"""The Python face of latent_lab: a generator by name or file, a run by folder."""

from __future__ import annotations

from pathlib import Path

from latent_lab.gans.space import LatentSpace
from latent_lab.loading import load_generator, space_and_paths
from latent_lab.paths.base import Paths
from latent_lab.runs import Run

__all__ = ["load_generator", "load_run"]


def load_run(folder: str | Path, weights: str | Path | None = None) -> tuple[LatentSpace, Paths, dict]:
    """The latent space, the paths and the metadata of a run. Nothing that the folder holds is executed.

    Arguments:
        folder: The run's folder.
        weights: The file of the generator's weights where the run's own is elsewhere; its hash must be the run's.
    """
    return space_and_paths(Run.open(folder, weights))
