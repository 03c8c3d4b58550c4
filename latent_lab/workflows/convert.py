"""``convert``: a published checkpoint as latent_lab's safetensors."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from latent_lab.checkpoints import native
from latent_lab.gans.base import Generator
from latent_lab.runs import write_atomically
from latent_lab.workflows.build import read_generator


def generator_bytes(generator: Generator) -> bytes:
    """The weights, with the family and the arguments that rebuild it."""
    family = type(generator)
    return native.to_bytes(generator.state_dict(), {"class": f"{family.__module__}.{family.__qualname__}", "config": generator.config})


def convert(config: DictConfig) -> None:
    """Reads ``source``, whatever its format, and writes the generator in it to ``target``, which must not exist."""
    source, target = Path(config.source), Path(config.target)
    if not source.is_file():
        raise FileNotFoundError(f"source must be a checkpoint, got {str(source)!r}, which does not exist")
    if target.suffix != ".safetensors" or target.exists():
        raise FileExistsError(f"target must be a new file that ends in .safetensors, got {str(target)!r}")
    generator = read_generator(source)
    write_atomically(target, generator_bytes(generator))
    print(f"latent_lab: {type(generator).__name__} of {generator.resolution} pixels in {target}")
