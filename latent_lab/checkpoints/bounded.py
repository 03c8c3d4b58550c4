"""Arithmetic of a stranger's tensors: the size of a result is known before it is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

TIMES, SLACK = 4, 2**20  # bytes that an operation may make for each byte it reads, and for nothing
NUMBERS, PRODUCTS = 2**28, 2**34  # that a network may make of one image; facemesh makes 2**24 by 2**26
PRODUCING = ("convolution", "mm", "addmm", "bmm", "baddbmm")


def count_bytes(values: object) -> int:
    """Return the bytes of all tensors in a structure, as if each were stored whole.

    Example:
        >>> count_bytes([torch.zeros(2, 3), {"bias": torch.zeros(1)}])
        28
    """
    return sum(value.numel() * value.dtype.itemsize for value in tree_leaves(values) if isinstance(value, Tensor))


class Bounded(TorchDispatchMode):
    """A block in which operations of several tensors fail if their result is much larger than they are.

    So shapes that do not belong together are an error, and not an outer product of two long vectors. An operation is
    tried on the meta device first.

    Raises:
        ValueError: in the operation.

    Example:
        >>> with Bounded():
        ...     torch.zeros(100_000, 1) + torch.zeros(100_000)
        Traceback (most recent call last):
        ValueError: tensors of the shapes (100000, 1), (100000,) do not belong together
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch gives it no types

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload[Any, Any],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        if self.matters(given) and not any(value.is_meta for value in given):
            self.require(func.__name__.split(".")[0], given, run_on_meta(func, args, kwargs))
        return func(*args, **kwargs)

    def matters(self, given: list[Tensor]) -> bool:
        """Tell whether an operation of these tensors is tried first."""
        return len(given) > 1

    def require(self, name: str, given: list[Tensor], made: object) -> None:
        """Raise an error where the result of an operation is too large.

        Arguments:
            name: Name of the operation.
            given: The tensors that it reads.
            made: Its result, on the meta device.
        """
        if count_bytes(made) > TIMES * count_bytes(given) + SLACK:
            shapes = ", ".join(str(tuple(value.shape))[:40] for value in given[:3])
            raise ValueError(f"tensors of the shapes {shapes} do not belong together")


class Counted(Bounded):
    """A block in which a stranger's network reads one image, with a limit of the numbers and products that it computes.

    Raises:
        ValueError: before there are more than :data:`NUMBERS` numbers or :data:`PRODUCTS` products.
    """

    def __init__(self) -> None:
        super().__init__()
        self.numbers, self.products = NUMBERS, PRODUCTS

    def matters(self, given: list[Tensor]) -> bool:
        return bool(given)

    def require(self, name: str, given: list[Tensor], made: object) -> None:
        count = sum(value.numel() for value in tree_leaves(made) if isinstance(value, Tensor))
        self.numbers -= count
        if name in PRODUCING:
            weight = given[-1] if name != "convolution" else given[1]
            self.products -= count * max(1, weight.numel() // max(1, weight.shape[-1 if name != "convolution" else 0]))
        if self.numbers < 0 or self.products < 0:
            raise ValueError(f"it would make more than {NUMBERS} numbers of an image, or of {PRODUCTS} products")


def run_on_meta(
    func: torch._ops.OpOverload[Any, Any], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> object:
    """Return the result of an operation on the meta device; None where it cannot be tried there."""
    args, kwargs = tree_map(lambda value: value.to("meta") if isinstance(value, Tensor) else value, (args, kwargs))
    try:
        return func(*args, **kwargs)
    except RuntimeError:  # also of what has no meta kernel; the operation itself says what is wrong
        return None
