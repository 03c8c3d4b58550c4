"""Arithmetic of a stranger's tensors: what it would make is known before it is made."""

from __future__ import annotations

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

TIMES, SLACK = 4, 2**20  # bytes that an operation may make for each byte it reads, and for nothing
NUMBERS, PRODUCTS = 2**28, 2**34  # that a network may make of one image; facemesh makes 2**24 by 2**26
PRODUCING = ("convolution", "mm", "addmm", "bmm", "baddbmm")


def size_of(values: object) -> int:
    """Bytes of all tensors, as if each were stored whole."""
    return sum(value.numel() * value.dtype.itemsize for value in tree_leaves(values) if isinstance(value, Tensor))


class Bounded(TorchDispatchMode):
    """A block in which shapes that do not belong together are an error, and not an outer product of two long vectors.

    An operation of several tensors is tried without memory first.

    Raises:
        ValueError: in the operation.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        if self.matters(given) and not any(value.is_meta for value in given):
            self.require(func.__name__.split(".")[0], given, tried(func, args, kwargs))
        return func(*args, **kwargs)

    def matters(self, given: list[Tensor]) -> bool:
        """Whether an operation of these tensors can make more than there are."""
        return len(given) > 1

    def require(self, name: str, given: list[Tensor], made: object) -> None:
        """An error where it would."""
        if size_of(made) > TIMES * size_of(given) + SLACK:
            shapes = ", ".join(str(tuple(value.shape))[:40] for value in given[:3])
            raise ValueError(f"tensors of the shapes {shapes} do not belong together")


class Counted(Bounded):
    """A block in which a network of a stranger's sees one image: the numbers that it makes and the products in them are
    few.

    Raises:
        ValueError: before there are more than :data:`NUMBERS` or :data:`PRODUCTS`.
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


def tried(func, args, kwargs) -> object:
    """What an operation gives, on the meta device; nothing where it cannot be tried."""
    args, kwargs = tree_map(lambda value: value.to("meta") if isinstance(value, Tensor) else value, (args, kwargs))
    try:
        return func(*args, **kwargs)
    except RuntimeError:  # also of what has no meta kernel; the operation itself says what is wrong
        return None
