"""What a pickle of weights may name, as stand-ins of ours: they hold what they are given, and check it before they use
it."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod

import numpy as np
import torch
from torch import Tensor

from latent_lab.checkpoints.limits import shown

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
    """The key of a dictionary, if its hash is a moment's work and cannot be that of many others.

    Tuples have neither: one that holds the same tuple twice, and so on 60 deep, is hashed for years. Large integers can
    be chosen such that they all collide.
    """
    if key is None or isinstance(key, str | bool) or (isinstance(key, int) and abs(key) < 2**31):
        return key
    raise ValueError(f"its dictionaries must have plain keys, got {shown(key)}")


def sizes(values: object) -> tuple[int, ...]:
    """The sizes of a tensor, if they are; few, and such that their product is no more than an address."""
    if (
        not isinstance(values, tuple | list)
        or len(values) > DIMENSIONS
        or any(type(n) is not int or not 0 <= n < 2**62 for n in values)
    ):
        raise ValueError(f"the sizes of a tensor must be at most {DIMENSIONS} whole numbers from 0")
    return tuple(values)


def require_volume(size: tuple[int, ...], numel: int) -> None:
    """An error where a shape has more entries than there are; also without those of its sides that are 0, which sums
    would leave out."""
    if prod(size) > numel or prod(n for n in size if n) > max(numel, 2**16):
        raise ValueError(f"a tensor of shape {str(size)[:60]} does not lie in its storage of {numel}")


class Table(dict):
    """Stands for every dictionary class."""

    def __init__(self, items: list | tuple = ()) -> None:
        super().__init__()
        if type(items) is not list and items != ():
            raise ValueError("a dictionary may be made from a list of pairs only")
        for key, value in items:
            self[require_key(key)] = value


def counts(items: dict | tuple = ()) -> Table:
    """Stands for a counter, which schedules of learning rates keep their milestones in."""
    if not isinstance(items, dict) and items != ():
        raise ValueError("a counter may be made from a dictionary only")
    return Table(list(dict(items).items()))


class Record:
    """Stands for an object of a class that is not needed: its arguments and its state, nothing more."""

    kind = ""
    arguments: tuple = ()  # a pickle may make objects without calling their constructor
    state = None

    def __init__(self, *arguments) -> None:
        self.arguments = arguments

    def __setstate__(self, state) -> None:
        self.state = state


class Storage:
    """Numbers of one type; ``content`` comes from elsewhere in the file."""

    def __init__(self, dtype: torch.dtype, numel: int, content: Callable[[], bytes]) -> None:
        self.dtype, self.numel, self.content = dtype, numel, content

    def tensor(self) -> Tensor:
        raw = self.content()
        if len(raw) != self.numel * self.dtype.itemsize:
            raise ValueError(f"a storage must have {self.numel * self.dtype.itemsize} bytes, got {len(raw)}")
        return torch.frombuffer(bytearray(raw), dtype=self.dtype) if raw else torch.empty(0, dtype=self.dtype)


class View:
    """Stands for a tensor: a part of a storage."""

    def __init__(self, storage: Storage, offset: int, size: tuple, stride: tuple, *rest) -> None:
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
        self.storage, self.offset, self.size, self.stride = storage, offset, sizes(size), sizes(stride)
        sizes((offset,))

    def tensor(self, whole: Tensor) -> Tensor:
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
    """Stands for numpy.dtype: plain numbers only."""

    def __init__(self, code: str, *rest) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[fiu][1248]|b1", code):
            raise ValueError(f"arrays must hold plain numbers, got the dtype {shown(code)}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class Array:
    """Stands for numpy.ndarray."""

    value = np.zeros(0)

    def __init__(self, *rest) -> None:
        pass

    def __setstate__(self, state) -> None:
        _, shape, kind, fortran, raw = state
        shape = sizes(shape)
        if not isinstance(kind, DType) or not isinstance(raw, bytes):
            raise ValueError("an array must have a shape, a dtype and bytes")
        require_volume(shape, len(raw) // kind.dtype.itemsize)
        # refuses bytes of another length
        self.value = np.frombuffer(raw, kind.dtype).reshape(shape, order="F" if fortran else "C")


def scalar(kind: DType, raw: bytes) -> float | int | bool:
    """Stands for numpy's scalar."""
    if not isinstance(kind, DType) or not isinstance(raw, bytes):
        raise ValueError("a number must have a dtype and bytes")
    return np.frombuffer(raw, kind.dtype, 1)[0].item()


def reconstruct(cls, *rest) -> Array:
    """Stands for numpy's array constructor."""
    return Array()


def from_buffer(raw: bytes, kind: DType, shape: tuple, order: str) -> Array:
    """Stands for numpy's array constructor of protocol 5."""
    if not isinstance(raw, bytes | bytearray):
        raise ValueError("an array must have a shape, a dtype and bytes")
    made = Array()
    made.__setstate__((1, shape, kind, order == "F", bytes(raw)))
    return made


def parameter(data, *rest):
    """Stands for torch's parameter constructor."""
    return data


def encode(text: str, encoding: str) -> bytes:
    """Stands for ``_codecs.encode``, by which old protocols write bytes."""
    if not isinstance(text, str):
        raise ValueError("bytes must be written as a text")
    return text.encode("latin1")


def joined(*parts: str) -> str:
    """Stands for a path."""
    if sum(map(len, parts)) > 10_000 or not all(isinstance(part, str) for part in parts):
        raise ValueError("a path must be a few texts")
    return "/".join(parts)


def record(name: str) -> type[Record]:
    return type("Record", (Record,), {"kind": name})


NUMPY = {
    (f"{module}.multiarray", name): value
    for module in ("numpy.core", "numpy._core")
    for name, value in (("scalar", scalar), ("_reconstruct", reconstruct))
} | {(f"{module}.numeric", "_frombuffer"): from_buffer for module in ("numpy.core", "numpy._core")}
ALLOWED: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): Table,
    ("collections", "Counter"): counts,
    ("dnnlib.util", "EasyDict"): Table,
    ("torch._utils", "_rebuild_tensor_v2"): View,
    ("torch._utils", "_rebuild_parameter"): parameter,
    ("torch", "Size"): sizes,
    **{("torch", name): dtype for name, dtype in DTYPES.items()},
    ("numpy", "dtype"): DType,
    ("numpy", "ndarray"): Array,
    **NUMPY,
    ("_codecs", "encode"): encode,
    **{("pathlib", name): joined for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")},
    ("argparse", "Namespace"): record("Namespace"),
    ("models.utils.config", "BaseConfig"): record("BaseConfig"),
    **{(f"{module}", "Network"): record("Network") for module in ("dnnlib.tflib.network", "tfutil", "network")},
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): record("persistent"),
}
