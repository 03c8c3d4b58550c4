"""Weights of any format: what to build, and the numbers to put into it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from latent_lab.checkpoints import formats, native
from latent_lab.checkpoints.container import open_tree


class Weights(NamedTuple):
    """A generator as a file has it.

    Arguments:
        family: The class's dotted name; None where the file does not say.
        config: Its arguments.
        tensors: Its state dict, in latent_lab's names.
    """

    family: str | None
    config: Mapping[str, object]
    tensors: Mapping[str, Tensor]


def read_weights(file: str | Path) -> Weights:
    """The weights of a checkpoint in any format that ``checkpoints/formats`` knows, recognised from its content."""
    if native.matches(file):
        tensors, metadata = native.read(file)
        return Weights(metadata.get("class"), metadata.get("config", {}), tensors)
    tree = open_tree(file)
    names = sorted(module.name for module in pkgutil.iter_modules(formats.__path__))
    for name in names:
        module = importlib.import_module(f"{formats.__name__}.{name}")
        if module.matches(tree):
            try:
                return Weights(*module.convert(tree))
            except (KeyError, IndexError, TypeError, AttributeError, RuntimeError) as error:
                raise ValueError(f"{file} looks like {name} but is damaged ({type(error).__name__}: {str(error)[:200]})") from None
    raise ValueError(f"{file} is of no known format; known are latent_lab's safetensors and {', '.join(names)}")
