"""From a configuration to a latent space; no class outside latent_lab is built for a file of someone else's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from latent_lab.attributes.base import Attributes, Selection
from latent_lab.checkpoints import native
from latent_lab.checkpoints.locate import locate
from latent_lab.gans.base import Generator
from latent_lab.gans.space import LatentSpace
from latent_lab.runs import own_class


def build_generator(gan: Mapping, make: Callable[[], Generator], seed: int = 0) -> Generator:
    """The generator of a ``gan`` configuration with its weights, frozen.

    Arguments:
        gan: The configuration: ``weights`` (a file, None or ``random``) and ``source``.
        make: Makes the generator without weights.
        seed: Seed of random weights.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator = make()
    if gan["weights"] != "random":
        file = locate(gan["weights"], gan["source"])
        if not native.matches(file):
            raise ValueError(f"gan.weights must be a safetensors file of latent_lab, got {file}")
        native.load_into(generator, native.read(file)[0], file)
    return generator.eval().requires_grad_(False)


def build_attributes(dataset: DictConfig, names: Sequence[str] | None) -> Attributes | None:
    """The predictor of a ``dataset`` configuration, narrowed to ``names`` if there are any; None if it has none."""
    if not dataset.get("attributes"):
        return None
    attributes = instantiate(dataset.attributes)
    return attributes if names is None else Selection(attributes, list(names))


def space_from_plain(gan: Mapping, seed: int) -> LatentSpace:
    """The latent space of a configuration that was read from a run's folder: only latent_lab's own generators."""
    options = dict(gan["generator"])
    family = own_class(options.pop("_target_"), "gans", Generator)
    generator = build_generator(gan, lambda: family(**options), seed)
    return generator.space(gan["space"], truncation=gan["truncation"])
