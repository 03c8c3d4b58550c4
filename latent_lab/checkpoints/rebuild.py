"""Modules as a file describes them: built only where the file's tensors fill them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from latent_lab.checkpoints import native
from latent_lab.checkpoints.limits import NUMBERS, PARTS, reason, within

M = TypeVar("M", bound=nn.Module)
FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)


def rebuild(make: Callable[[], M], tensors: Mapping[str, Tensor], file: str | Path) -> M:
    """The module with the tensors, frozen and in eval mode. Random numbers of others are not touched.

    Its sizes come from the file, so it is first built without memory, and stopped as soon as it is clearly larger than
    the tensors.

    Arguments:
        make: Builds it; it is called twice.
        tensors: Its state dict.
        file: Where both come from, for messages.

    Raises:
        ValueError: The constructor fails, or names and shapes are not exactly those of the tensors.
    """
    total = sum(value.numel() for value in tensors.values())
    native.require_fit(planned(make, file, 4 * total + 2**20, min(8 * len(tensors) + 1000, PARTS)), tensors, file)
    try:
        with torch.random.fork_rng(devices=[]):
            module = make()
    except FAULTS as error:
        raise ValueError(f"{file} describes nothing that can be built ({reason(error)})") from None
    native.load_into(module, tensors, file)
    return module.eval().requires_grad_(False)


def planned(make: Callable[[], M], what: object, numbers: int = NUMBERS, parts: int = PARTS) -> M:
    """The module on the meta device: names and shapes, without memory; an error if its arguments are wrong or it would
    be too large.

    Arguments:
        make: Builds it.
        what: The file or argument that describes it, for messages.
        numbers, parts: Limits, see :func:`latent_lab.checkpoints.limits.within`.
    """
    try:
        with within(numbers, parts), torch.device("meta"):
            return make()
    except FAULTS as error:
        raise ValueError(f"{what} describes nothing that can be built ({reason(error)})") from None
