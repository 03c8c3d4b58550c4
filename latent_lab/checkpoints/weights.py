"""Weights of any format: the class to build, and the numbers to put into it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from latent_lab.checkpoints import formats, native
from latent_lab.checkpoints.bounded import Bounded
from latent_lab.checkpoints.container import open_tree
from latent_lab.checkpoints.limits import FAULTS, quote, reason
from latent_lab.installation import extensions


class Weights(NamedTuple):
    """A generator as a file describes it.

    Arguments:
        family: Dotted name of its class; None where the file does not say.
        config: Arguments of its constructor.
        tensors: Its state dict, in latent_lab's names.
    """

    family: str | None
    config: Mapping[str, object]
    tensors: Mapping[str, Tensor]


def find_formats() -> list[str]:
    """Return the dotted names of the modules that know a format: latent_lab's own first, then those of extensions."""
    folders = {formats.__name__: list(formats.__path__)}
    folders |= {f"{name}.formats": [str(folder / "formats")] for name, folder in extensions().items()}
    return [
        f"{package}.{name}"
        for package, places in folders.items()
        for name in sorted(module.name for module in pkgutil.iter_modules(places))
    ]


def read_weights(file: str | Path) -> Weights:
    """Read the weights of a checkpoint, whose format is recognised from its content.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is of no known format, or damaged.
    """
    if native.matches(file):
        tensors, metadata = native.read(file)
        family, config = metadata.get("class"), metadata.get("config", {})
        if not isinstance(family, str | None) or not isinstance(config, dict) or len(family or "") > 200:
            raise ValueError(
                f"{file} must say its class and its config, got {quote(family)} and a {type(config).__name__}"
            )
        return Weights(family, config, tensors)
    tree = open_tree(file)
    names = find_formats()
    for name in names:
        module = importlib.import_module(name)
        name = name.rpartition(".")[2]
        try:
            if module.matches(tree):
                with Bounded():
                    return Weights(*module.convert(tree))
        except FAULTS as error:
            raise ValueError(f"{file} looks like {name} but is damaged ({reason(error)})") from None
    raise ValueError(
        f"{file} is of no known format; known are latent_lab's safetensors and "
        f"{', '.join(name.rpartition('.')[2] for name in names)}"
    )
