"""Stand-ins for the names that a pickle of weights may use: they hold what they are given, and check it before they use
it."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latent_lab.checkpoints.limits import quote

DTYPES = {
    **{
        "DoubleStorage": torch.float64,
        "FloatStorage": torch.float32,
        "HalfStorage": torch.float16,
        "BFloat16Storage": torch.bfloat16,
    },
    **{"LongStorage": torch.int64, "IntStorage": torch.int32, "ShortStorage": torch.int16, "CharStorage": torch.int8},
    **{"ByteStorage": torch.uint8, "BoolStorage": torch.bool},
}
DIMENSIONS = 32  # of a tensor


def require_key(key: object) -> object:
    """Return the key of a dictionary if its hash is quick and cannot be chosen to be that of many others.

    Tuples have neither: one that holds the same tuple twice, and so on 60 deep, is hashed for years. Large integers can
    be chosen such that they all collide.

    Raises:
        ValueError: if it is no text, truth value, small integer or None.
    """
    if key is None or isinstance(key, str | bool) or (isinstance(key, int) and abs(key) < 2**31):
        return key
    raise ValueError(f"its dictionaries must have plain keys, got {quote(key)}")


def require_sizes(values: object) -> tuple[int, ...]:
    """Return the sizes of a tensor: at most 32 whole numbers from 0 to :math:`2^{62}`.

    Raises:
        ValueError: if they are anything else.

    Example:
        >>> require_sizes([2, 3])
        (2, 3)
    """
    if (
        not isinstance(values, tuple | list)
        or len(values) > DIMENSIONS
        or any(type(n) is not int or not 0 <= n < 2**62 for n in values)
    ):
        raise ValueError(f"the sizes of a tensor must be at most {DIMENSIONS} whole numbers from 0")
    return tuple(values)


def require_volume(size: tuple[int, ...], numel: int) -> None:
    """Raise an error where a shape has more entries than its storage; sides of 0 do not hide the others.

    Arguments:
        size: Sizes of the tensor.
        numel: Entries of its storage.
    """
    if prod(size) > numel or prod(n for n in size if n) > max(numel, 2**16):
        raise ValueError(f"a tensor of shape {str(size)[:60]} does not lie in its storage of {numel}")


class Table(dict[object, object]):
    """Stand-in for every dictionary class."""

    def __init__(self, items: object = ()) -> None:
        super().__init__()
        if type(items) is not list and items != ():
            raise ValueError("a dictionary may be made from a list of pairs only")
        for key, value in items if isinstance(items, list) else ():
            self[require_key(key)] = value


def make_counter(items: object = ()) -> Table:
    """Stand in for a counter, in which schedules of learning rates keep their milestones."""
    if not isinstance(items, dict) and items != ():
        raise ValueError("a counter may be made from a dictionary only")
    return Table(list(items.items()) if isinstance(items, dict) else ())


class Record:
    """Stand-in for an object of a class that is not needed: its arguments and its state, nothing more.

    Attributes:
        kind: Name of that class; the classes of :func:`make_record_class` have one each.
        arguments: The arguments of its constructor.
        state: Its pickled state, of any type.
    """

    kind = ""
    arguments: tuple[Any, ...] = ()  # a pickle may make objects without calling their constructor
    state: Any = None

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __setstate__(self, state: object) -> None:
        self.state = state

    @classmethod
    def restore(cls, arguments: object, state: object) -> Record:
        """Return a record with these arguments and this state."""
        made = cls()
        made.arguments, made.state = arguments if isinstance(arguments, tuple) else (), state
        return made


class Storage:
    """Stand-in for a storage: numbers of one type.

    Arguments:
        dtype: Their type.
        numel: Their number.
        content: Returns their bytes, which come from elsewhere in the file.
    """

    def __init__(self, dtype: torch.dtype, numel: int, content: Callable[[], bytes]) -> None:
        self.dtype, self.numel, self.content = dtype, numel, content

    def tensor(self) -> Tensor:
        """Return the numbers as a vector."""
        raw = self.content()
        if len(raw) != self.numel * self.dtype.itemsize:
            raise ValueError(f"a storage must have {self.numel * self.dtype.itemsize} bytes, got {len(raw)}")
        return torch.frombuffer(bytearray(raw), dtype=self.dtype) if raw else torch.empty(0, dtype=self.dtype)


class View:
    """Stand-in for a tensor: a part of a storage.

    Arguments:
        storage: The storage.
        offset: Place of its first number.
        size: Sizes of its sides.
        stride: Numbers between two neighbours along each side.
        rest: Further arguments, which are ignored.
    """

    def __init__(self, storage: object, offset: object, size: object, stride: object, *rest: object) -> None:
        if (
            not isinstance(storage, Storage)
            or not isinstance(size, tuple | list)
            or not isinstance(stride, tuple | list)
        ):
            raise ValueError("a tensor must be a storage with an offset, sizes and strides")
        if len(size) != len(stride) or any(
            type(n) is not int or n < 0 for n in (offset, *size[:DIMENSIONS], *stride[:DIMENSIONS])
        ):
            raise ValueError("a tensor must be a storage with an offset, sizes and strides")
        (self.offset,) = require_sizes((offset,))
        self.storage, self.size, self.stride = storage, require_sizes(size), require_sizes(stride)

    def tensor(self, whole: Tensor) -> Tensor:
        """Return the tensor as a view of its whole storage."""
        last = (
            self.offset + sum((n - 1) * step for n, step in zip(self.size, self.stride)) if 0 not in self.size else -1
        )
        if last >= self.storage.numel:
            raise ValueError(
                f"a tensor of shape {str(self.size)[:60]} does not lie in its storage of {self.storage.numel}"
            )
        require_volume(self.size, self.storage.numel)
        return torch.as_strided(whole, self.size, self.stride, self.offset if self.storage.numel > self.offset else 0)


class DType:
    """Stand-in for numpy.dtype: plain numbers only.

    Arguments:
        code: NumPy's code of the type, such as ``f4``.
        rest: Further arguments, which are ignored.
    """

    def __init__(self, code: object, *rest: object) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[fiu][1248]|b1", code):
            raise ValueError(f"arrays must hold plain numbers, got the dtype {quote(code)}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class Array:
    """Stand-in for numpy.ndarray; ``value`` is the array, once its state is known."""

    value: np.ndarray = np.zeros(0)

    def __init__(self, *rest: object) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        _, size, kind, fortran, raw = state
        shape = require_sizes(size)
        if not isinstance(kind, DType) or not isinstance(raw, bytes):
            raise ValueError("an array must have a shape, a dtype and bytes")
        require_volume(shape, len(raw) // kind.dtype.itemsize)
        # refuses bytes of another length
        self.value = np.frombuffer(raw, kind.dtype).reshape(shape, order="F" if fortran else "C")


def read_scalar(kind: object, raw: object) -> float | int | bool:
    """Stand in for NumPy's scalar constructor."""
    if not isinstance(kind, DType) or not isinstance(raw, bytes):
        raise ValueError("a number must have a dtype and bytes")
    value: float | int | bool = np.frombuffer(raw, kind.dtype, 1)[0].item()
    return value


def reconstruct(family: object, *rest: object) -> Array:
    """Stand in for NumPy's array constructor; the array's state comes later."""
    return Array()


def from_buffer(raw: object, kind: object, shape: object, order: object) -> Array:
    """Stand in for NumPy's array constructor of protocol 5."""
    if not isinstance(raw, bytes | bytearray):
        raise ValueError("an array must have a shape, a dtype and bytes")
    made = Array()
    made.__setstate__((1, shape, kind, order == "F", bytes(raw)))
    return made


def unwrap_parameter(data: object, *rest: object) -> object:
    """Stand in for torch's parameter constructor: return the tensor alone."""
    return data


def encode(text: object, encoding: object) -> bytes:
    """Stand in for ``_codecs.encode``, by which old protocols write bytes."""
    if not isinstance(text, str):
        raise ValueError("bytes must be written as a text")
    return text.encode("latin1")


def join_path(*parts: str) -> str:
    """Stand in for a path: return its parts as one text."""
    if sum(map(len, parts)) > 10_000 or not all(isinstance(part, str) for part in parts):
        raise ValueError("a path must be a few texts")
    return "/".join(parts)


def make_record_class(name: str) -> type[Record]:
    """Return a class of records that stands for the objects of a kind."""
    return type("Record", (Record,), {"kind": name})


NUMPY = {
    (f"{module}.multiarray", name): value
    for module in ("numpy.core", "numpy._core")
    for name, value in (("scalar", read_scalar), ("_reconstruct", reconstruct))
} | {(f"{module}.numeric", "_frombuffer"): from_buffer for module in ("numpy.core", "numpy._core")}
ALLOWED: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): Table,
    ("collections", "Counter"): make_counter,
    ("dnnlib.util", "EasyDict"): Table,
    ("torch._utils", "_rebuild_tensor_v2"): View,
    ("torch._utils", "_rebuild_parameter"): unwrap_parameter,
    ("torch", "Size"): require_sizes,
    **{("torch", name): dtype for name, dtype in DTYPES.items()},
    ("numpy", "dtype"): DType,
    ("numpy", "ndarray"): Array,
    **NUMPY,
    ("_codecs", "encode"): encode,
    **{
        ("pathlib", name): join_path
        for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
    },
    ("argparse", "Namespace"): make_record_class("Namespace"),
    ("models.utils.config", "BaseConfig"): make_record_class("BaseConfig"),
    **{
        (f"{module}", "Network"): make_record_class("Network")
        for module in ("dnnlib.tflib.network", "tfutil", "network")
    },
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): make_record_class("persistent"),
}
