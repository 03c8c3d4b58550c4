"""latent_lab's own weights: safetensors, with the family and its arguments as metadata. Nothing in them can be
executed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from latent_lab.checkpoints.limits import FAULTS, plain_file, reason

# bytes of the header, nesting of its values, dimensions of a tensor; files of ours have 2**19, 6 and 5
HEADER, DEPTH, DIMENSIONS = 2**24, 32, 16


def matches(file: str | Path) -> bool:
    """Tell whether a file is in this format, judged by its content: an 8-byte length, then a JSON header."""
    with open(plain_file(file), "rb") as stream:
        start = stream.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") <= HEADER


def to_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, object]) -> bytes:
    """Return the content of a file, the same bytes for the same arguments.

    Arguments:
        tensors: The tensors by name.
        metadata: Values that are stored as JSON.
    """
    content = save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        {key: json.dumps(value) for key, value in metadata.items()},
    )
    size = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:size])
    if "__metadata__" in header:  # safetensors writes it in another order each time
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    written = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    written += b" " * (-len(written) % 8)
    return len(written).to_bytes(8, "little") + written + content[size:]


def read(file: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the metadata of a file; numbers in the metadata that are not finite become None.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged.
    """
    try:
        with open(plain_file(file), "rb") as stream:
            if int.from_bytes(stream.read(8), "little") > HEADER:
                raise ValueError(f"its header has more than {HEADER} bytes")
        with safe_open(file, "pt") as content:
            metadata = {key: parse_value(text) for key, text in (content.metadata() or {}).items()}
            names = list(content.keys())
            if any(len(content.get_slice(name).get_shape()) > DIMENSIONS for name in names):
                raise ValueError(f"its tensors have more than {DIMENSIONS} dimensions")
            return {name: content.get_tensor(name) for name in names}, metadata
    except FileNotFoundError:
        raise
    except FAULTS as error:
        raise ValueError(f"{file} is not a complete safetensors file of latent_lab ({reason(error)})") from None


def parse_value(text: str) -> object:
    """Parse JSON: integers of at most 64 bits, None for numbers that are not finite, and no more than 32 levels."""
    value: object = json.loads(text, parse_int=parse_integer, parse_float=parse_float, parse_constant=lambda name: None)
    if not is_shallow(value, DEPTH):
        raise ValueError(f"its metadata nest deeper than {DEPTH}")
    return value


def parse_integer(text: str) -> int:
    """Parse an integer of at most 20 characters."""
    if len(text) > 20:  # of 64 bits
        raise ValueError(f"its metadata hold an integer of {len(text)} digits")
    return int(text)


def parse_float(text: str) -> float | None:
    """Parse a number; None if it is not finite."""
    return value if math.isfinite(value := float(text)) else None


def is_shallow(value: object, depth: int) -> bool:
    """Tell whether a value nests no deeper than ``depth`` levels."""
    parts: Iterable[object] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(is_shallow(part, depth - 1) for part in parts)


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], source: str | Path) -> None:
    """Copy tensors into a module, in the module's precision.

    Arguments:
        module: The module.
        tensors: Its state dict.
        source: Source of the tensors, for error messages.

    Raises:
        ValueError: if names and shapes are not exactly the module's.
    """
    require_fit(module, tensors, source)
    module.load_state_dict({name: tensors[name].to(value.dtype) for name, value in module.state_dict().items()})


def require_fit(module: nn.Module, tensors: Mapping[str, Tensor], source: str | Path) -> None:
    """Raise an error for tensors whose names and shapes are not exactly those of a module, which may be on the meta
    device."""
    own = module.state_dict()
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(map(str, tensors.keys() - own.keys()))
    wrong = [
        f"{name[:60]} {format_shape(tensors[name])} instead of {format_shape(own[name])}"
        for name in own.keys() & tensors.keys()
        if own[name].shape != tensors[name].shape
    ]
    if missing or extra or wrong:
        parts = [
            f"{label} {[name[:100] for name in names[:3]]}{' ...' if len(names) > 3 else ''}"
            for label, names in (("missing", missing), ("unknown", extra), ("shape", sorted(wrong)))
            if names
        ]
        said = ", ".join(parts)
        raise ValueError(
            f"{source} does not fit {type(module).__name__}: {said if len(said) <= 400 else said[:397] + '...'}"
        )


def format_shape(value: Tensor) -> str:
    """Return the shape of a tensor as a short text."""
    return str(tuple(value.shape))[:60]
