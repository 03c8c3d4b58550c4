"""Pickles read as data: every global that a file may name is a stand-in of ours, everything else is refused by name."""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

DTYPES = {
    **{"DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16, "BFloat16Storage": torch.bfloat16},
    **{"LongStorage": torch.int64, "IntStorage": torch.int32, "ShortStorage": torch.int16, "CharStorage": torch.int8},
    **{"ByteStorage": torch.uint8, "BoolStorage": torch.bool},
}
OPCODES_REFUSED = {"EXT1", "EXT2", "EXT4", "PERSID", "INST", "OBJ", "NEXT_BUFFER", "READONLY_BUFFER"}
DEPTH = 100  # of nested containers; real files stay below 30


class Table(dict):
    """Stands for every dictionary class."""

    def __init__(self, items=()) -> None:
        super().__init__(items if type(items) is list else ())
        if type(items) is not list and items != ():
            raise ValueError("a dictionary may be made from a list of pairs only")


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
        self.storage, self.offset, self.size, self.stride = storage, offset, tuple(size), tuple(stride)
        whole = [offset, *self.size, *self.stride]
        if not isinstance(storage, Storage) or len(self.size) != len(self.stride) or any(type(n) is not int or n < 0 for n in whole):
            raise ValueError("a tensor must be a storage with an offset, sizes and strides")

    def tensor(self, whole: Tensor) -> Tensor:
        last = self.offset + sum((n - 1) * step for n, step in zip(self.size, self.stride)) if 0 not in self.size else -1
        count = 1
        for n in self.size:
            count *= n
        if last >= self.storage.numel or count > self.storage.numel:
            raise ValueError(f"a tensor of shape {self.size} does not lie in its storage of {self.storage.numel}")
        return torch.as_strided(whole, self.size, self.stride, self.offset)


class DType:
    """Stands for numpy.dtype: plain numbers only."""

    def __init__(self, code: str, *rest) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[fiu][1248]|b1", code):
            raise ValueError(f"arrays must hold plain numbers, got dtype {code!r}")
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
        if not isinstance(kind, DType) or not isinstance(raw, bytes) or any(type(n) is not int or n < 0 for n in shape):
            raise ValueError("an array must have a shape, a dtype and bytes")
        self.value = np.frombuffer(raw, kind.dtype).reshape(shape, order="F" if fortran else "C")  # refuses bytes of another length


def scalar(kind: DType, raw: bytes) -> float | int | bool:
    """Stands for numpy's scalar."""
    return np.frombuffer(raw, kind.dtype, 1)[0].item()


def reconstruct(cls, *rest) -> Array:
    """Stands for numpy's array constructor."""
    return Array()


def from_buffer(raw: bytes, kind: DType, shape: tuple, order: str) -> Array:
    """Stands for numpy's array constructor of protocol 5."""
    made = Array()
    made.__setstate__((1, shape, kind, order == "F", bytes(raw)))
    return made


def parameter(data, *rest):
    """Stands for torch's parameter constructor."""
    return data


def encode(text: str, encoding: str) -> bytes:
    """Stands for ``_codecs.encode``, by which old protocols write bytes."""
    return text.encode("latin1")


def joined(*parts: str) -> str:
    """Stands for a path."""
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
    ("dnnlib.util", "EasyDict"): Table,
    ("torch._utils", "_rebuild_tensor_v2"): View,
    ("torch._utils", "_rebuild_parameter"): parameter,
    ("torch", "Size"): tuple,
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


class Reader(pickle.Unpickler):
    """An unpickler that knows the stand-ins and nothing else."""

    def __init__(self, stream: io.BytesIO, storage: Callable[[tuple], Storage], nested: Callable[[bytes], object] | None) -> None:
        super().__init__(stream)
        self.storage, self.nested = storage, nested

    def find_class(self, module: str, name: str):
        if (module, name) == ("torch.storage", "_load_from_bytes") and self.nested is not None:
            return self.nested
        if (module, name) not in ALLOWED:
            raise ValueError(f"it names {module}.{name}, which weights do not need; nothing was executed")
        return ALLOWED[module, name]

    def persistent_load(self, identity) -> Storage:
        return self.storage(identity)


def span(content: bytes, start: int) -> int:
    """Where the pickle that begins at ``start`` ends; refuses opcodes and memo numbers that no weights need."""
    end = start
    try:
        for opcode, argument, position in pickletools.genops(io.BytesIO(content[start:])):
            if opcode.name in OPCODES_REFUSED:
                raise ValueError(f"it uses the pickle opcode {opcode.name}, which weights do not need; nothing was executed")
            if opcode.name in ("PUT", "LONG_BINPUT") and int(argument) > len(content):
                raise ValueError(f"it asks for memo number {argument}; nothing was executed")
            end = start + position + 1
    except (IndexError, OverflowError, UnicodeDecodeError) as error:
        raise ValueError(f"its pickle is damaged ({error})") from None
    return end


def refuse_storages(identity) -> Storage:
    raise ValueError("it has persistent ids outside a torch file")


def unpickle(content: bytes, storage: Callable[[tuple], Storage] = refuse_storages, nested: Callable[[bytes], object] | None = None):
    """The object of a pickle that was measured by :func:`span`, of stand-ins; :func:`plain` makes it data."""
    try:
        return Reader(io.BytesIO(content), storage, nested).load()
    except (pickle.UnpicklingError, EOFError, TypeError, AttributeError, KeyError, IndexError, OverflowError, RecursionError) as error:
        raise ValueError(f"its pickle is damaged ({type(error).__name__}: {str(error)[:200]})") from None


def plain(tree):
    """Stand-ins become dicts, lists, tensors and arrays; objects become ``(kind, arguments, state)`` records of plain parts."""
    done: dict[int, object] = {}
    whole: dict[int, Tensor] = {}

    def walk(node, depth: int):
        if depth > DEPTH:
            raise ValueError(f"it nests deeper than {DEPTH}")
        if id(node) in done:
            return done[id(node)]
        if isinstance(node, dict):
            made: object = {}
            done[id(node)] = made
            for key, value in node.items():
                if not isinstance(key, (str, int, float, bool, tuple, type(None))):
                    raise ValueError(f"its dictionaries must have plain keys, got {type(key).__name__}")
                made[key] = walk(value, depth + 1)
        elif isinstance(node, (list, set)):
            made = []
            done[id(node)] = made
            made.extend(walk(value, depth + 1) for value in node)
        elif isinstance(node, tuple):
            made = tuple(walk(value, depth + 1) for value in node)
        elif isinstance(node, View):
            if id(node.storage) not in whole:
                whole[id(node.storage)] = node.storage.tensor()
            made = node.tensor(whole[id(node.storage)])
        elif isinstance(node, Array):
            made = node.value
        elif isinstance(node, Record):
            made = type(node)()
            done[id(node)] = made
            made.arguments, made.state = walk(node.arguments, depth + 1), walk(node.state, depth + 1)
        elif node is None or isinstance(node, (str, bytes, int, float, complex)):
            return node
        else:
            made = None  # storages and types on their own carry nothing
        done[id(node)] = made
        return made

    return walk(tree, 0)
