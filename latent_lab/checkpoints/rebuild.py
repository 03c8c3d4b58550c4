"""Modules as a file describes them: built only where the file's tensors fill them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from latent_lab.checkpoints import native
from latent_lab.checkpoints.limits import FAULTS, NUMBERS, PARTS, limit_modules, reason

M = TypeVar("M", bound=nn.Module)


def rebuild(make: Callable[[], M], tensors: Mapping[str, Tensor], file: str | Path) -> M:
    """Build a module with given tensors, frozen and in eval mode; the global random numbers are not touched.

    Its sizes come from the file, so it is first built without memory, and stopped as soon as it is clearly larger than
    the tensors.

    Arguments:
        make: Builds the module; it is called twice.
        tensors: Its state dict.
        file: Source of both, for error messages.

    Raises:
        ValueError: if the constructor fails, or names and shapes are not exactly those of the tensors.

    Example:
        >>> tensors = {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}
        >>> rebuild(lambda: nn.Linear(2, 1), tensors, "a.safetensors")(torch.ones(2))
        tensor([2.])
    """
    total = sum(value.numel() for value in tensors.values())
    native.require_fit(build_on_meta(make, file, 4 * total + 2**20, min(8 * len(tensors) + 1000, PARTS)), tensors, file)
    try:
        with torch.random.fork_rng(devices=[]):
            module = make()
    except FAULTS as error:
        raise ValueError(f"{file} describes nothing that can be built ({reason(error)})") from None
    native.load_into(module, tensors, file)
    return module.eval().requires_grad_(False)


def build_on_meta(make: Callable[[], M], what: object, numbers: int = NUMBERS, parts: int = PARTS) -> M:
    """Build a module on the meta device: with names and shapes, without memory.

    Arguments:
        make: Builds the module.
        what: The file or argument that describes it, for error messages.
        numbers, parts: Limits, see :func:`latent_lab.checkpoints.limits.limit_modules`.

    Raises:
        ValueError: if its arguments are wrong or it would be too large.
    """
    try:
        with limit_modules(numbers, parts), torch.device("meta"):
            return make()
    except FAULTS as error:
        raise ValueError(f"{what} describes nothing that can be built ({reason(error)})") from None
