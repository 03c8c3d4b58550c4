"""latent_lab's own weights: safetensors, with the family and its arguments as metadata. Nothing in them can be
executed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from latent_lab.checkpoints.limits import plain_file, reason

# bytes of the header, nesting of its values, dimensions of a tensor; files of ours have 2**19, 6 and 5
HEADER, DEPTH, DIMENSIONS = 2**24, 32, 16
FAULTS = (SafetensorError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, MemoryError, OSError)


def matches(file: str | Path) -> bool:
    """Whether the file is in this format, judged by its content: an 8-byte length, then a JSON header."""
    with open(plain_file(file), "rb") as stream:
        start = stream.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") <= HEADER


def to_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, object]) -> bytes:
    """The file's content, the same for the same arguments; ``metadata`` values are stored as JSON."""
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


def read(file: str | Path) -> tuple[dict[str, Tensor], dict]:
    """Tensors and metadata of a file. A damaged one is refused by name; numbers in the metadata that are not finite
    come as None."""
    try:
        with open(plain_file(file), "rb") as stream:
            if int.from_bytes(stream.read(8), "little") > HEADER:
                raise ValueError(f"its header has more than {HEADER} bytes")
        with safe_open(file, "pt") as stream:
            metadata = {key: value_of(text) for key, text in (stream.metadata() or {}).items()}
            names = list(stream.keys())
            if any(len(stream.get_slice(name).get_shape()) > DIMENSIONS for name in names):
                raise ValueError(f"its tensors have more than {DIMENSIONS} dimensions")
            return {name: stream.get_tensor(name) for name in names}, metadata
    except FileNotFoundError:
        raise
    except FAULTS as error:
        raise ValueError(f"{file} is not a complete safetensors file of latent_lab ({reason(error)})") from None


def value_of(text: str) -> object:
    """A value from JSON."""
    value = json.loads(text, parse_int=integer, parse_float=finite, parse_constant=lambda name: None)
    if not shallow(value, DEPTH):
        raise ValueError(f"its metadata nest deeper than {DEPTH}")
    return value


def integer(text: str) -> int:
    if len(text) > 20:  # of 64 bits
        raise ValueError(f"its metadata hold an integer of {len(text)} digits")
    return int(text)


def finite(text: str) -> float | None:
    return value if math.isfinite(value := float(text)) else None


def shallow(value: object, depth: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(shallow(part, depth - 1) for part in parts)


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], source: str | Path) -> None:
    """Copies all tensors into the module, in its own precision. Names and shapes must agree exactly."""
    require_fit(module, tensors, source)
    module.load_state_dict({name: tensors[name].to(value.dtype) for name, value in module.state_dict().items()})


def require_fit(module: nn.Module, tensors: Mapping[str, Tensor], source: str | Path) -> None:
    """Refuses tensors whose names and shapes are not exactly the module's, which may be on the meta device."""
    own = module.state_dict()
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(map(str, tensors.keys() - own.keys()))
    wrong = [
        f"{name[:60]} {shape(tensors[name])} instead of {shape(own[name])}"
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


def shape(value: Tensor) -> str:
    return str(tuple(value.shape))[:60]
