"""The Python face of latent_lab: a generator by name or file, a run by folder."""

from __future__ import annotations

from pathlib import Path

from latent_lab.gans.space import LatentSpace
from latent_lab.paths.base import Paths
from latent_lab.runs import Run
from latent_lab.workflows.build import load_generator, space_and_paths

__all__ = ["load_generator", "load_run"]


def load_run(folder: str | Path) -> tuple[LatentSpace, Paths, dict]:
    """The latent space, the paths and the metadata of a run. Nothing that the folder holds is executed."""
    return space_and_paths(Run.open(folder))
