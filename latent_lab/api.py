"""The Python face of latent_lab: a generator by name or file, a run by folder."""

from __future__ import annotations

from pathlib import Path

from latent_lab.gans.space import LatentSpace
from latent_lab.paths.base import Paths
from latent_lab.runs import Run, weight_hash
from latent_lab.workflows.build import load_generator, space_from_plain

__all__ = ["load_generator", "load_run"]


def load_run(folder: str | Path) -> tuple[LatentSpace, Paths, dict]:
    """The latent space, the paths and the metadata of a run. Nothing that the folder holds is executed."""
    run = Run.open(folder)
    paths, metadata = run.load_paths()
    config = run.config()
    space = space_from_plain(config["gan"], config["seed"])
    found = weight_hash(space.generator)
    if found != metadata["generator"]:
        raise ValueError(
            f"{run.folder} was made on a generator with hash {metadata['generator'][:12]}, but gan.weights has {found[:12]}; give back the weights that it names"
        )
    return space, paths, metadata
