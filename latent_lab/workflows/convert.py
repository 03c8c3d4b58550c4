"""The command ``convert``: a published checkpoint as latent_lab's safetensors, or as another repository's state dict; a
run's paths as directions."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from omegaconf import DictConfig

from latent_lab.checkpoints import native
from latent_lab.console import log
from latent_lab.editing.directions import write_directions
from latent_lab.gans.base import Generator
from latent_lab.gans.mobilestylegan import MobileStyleGAN
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.gans.stylegan2_layouts import nvlabs, rosinality
from latent_lab.loading import load_generator
from latent_lab.pretraining.exits import fit_exit
from latent_lab.runs import write_atomically

LAYOUTS = {"nvlabs": nvlabs, "rosinality": rosinality}


def generator_bytes(generator: Generator) -> bytes:
    """Serialise the weights, with the family and the arguments that rebuild the generator."""
    return native.to_bytes(generator.state_dict(), generator.description())


def layout_bytes(generator: Generator, layout: str) -> bytes:
    """Serialise the weights as a torch file of tensors alone, in another repository's layout."""
    if layout not in LAYOUTS or not isinstance(generator, StyleGAN2):
        raise ValueError(
            f"layout must be null or, for a StyleGAN2, one of {list(LAYOUTS)}, "
            f"got {layout!r} for a {type(generator).__name__}"
        )
    stream = io.BytesIO()
    torch.save(LAYOUTS[layout](generator), stream)
    return stream.getvalue()


def convert(config: DictConfig) -> None:
    """Read ``source``, a file of any format or a configuration's name, and write its generator to ``target``, which
    must not exist. With ``run``, a run's folder, write the directions of its straight paths."""
    target = Path(config.target).expanduser()
    if (config.source is None) == (config.run is None) or (config.run is None and config.path is not None):
        raise ValueError(
            "one of source (a checkpoint) and run (a folder, with path if you like) must be given, "
            f"got source={config.source}, run={config.run}, path={config.path}"
        )
    if config.run is not None:
        if config.layout is not None or config.pixels is not None:
            raise ValueError(
                f"layout and pixels must be null for a run's directions, got {config.layout} and {config.pixels}"
            )
        return write_directions(config.run, config.path, target, config.weights)
    suffix = ".safetensors" if config.layout is None else ".pt"
    if target.suffix != suffix or target.exists():
        raise FileExistsError(f"target must be a new file that ends in {suffix}, got {str(target)!r}")
    generator = load_generator(config.source)
    if config.pixels is not None:
        if not isinstance(generator, MobileStyleGAN):
            raise ValueError(
                f"pixels must be null for a {type(generator).__name__}: only MobileStyleGAN has early exits, "
                f"got {config.pixels}"
            )
        generator = fit_exit(generator, config.pixels)
    write_atomically(
        target, generator_bytes(generator) if config.layout is None else layout_bytes(generator, config.layout)
    )
    log.info(f"{type(generator).__name__} of {generator.resolution} pixels in {target}")
