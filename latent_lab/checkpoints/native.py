"""latent_lab's own weights: safetensors, with the family and its arguments as metadata. Nothing in them can be executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn


def matches(file: str | Path) -> bool:
    """Whether the file is in this format, judged by its content: an 8-byte length, then a JSON header."""
    with open(file, "rb") as stream:
        start = stream.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") < 100_000_000


def to_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, object]) -> bytes:
    """The file's content; ``metadata`` values are stored as JSON."""
    return save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        {key: json.dumps(value) for key, value in metadata.items()},
    )


def read(file: str | Path) -> tuple[dict[str, Tensor], dict]:
    """Tensors and metadata of a file. A damaged one is refused by name."""
    try:
        with safe_open(file, "pt") as stream:
            metadata = {key: json.loads(value) for key, value in (stream.metadata() or {}).items()}
            return {name: stream.get_tensor(name) for name in stream.keys()}, metadata
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{file} is not a complete safetensors file of latent_lab ({error})") from None


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], source: str | Path) -> None:
    """Copies all tensors into the module, in its own precision. Names and shapes must agree exactly."""
    require_fit(module, tensors, source)
    module.load_state_dict({name: tensors[name].to(value.dtype) for name, value in module.state_dict().items()})


def require_fit(module: nn.Module, tensors: Mapping[str, Tensor], source: str | Path) -> None:
    """Refuses tensors whose names and shapes are not exactly the module's, which may be on the meta device."""
    own = module.state_dict()
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
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
        raise ValueError(f"{source} does not fit {type(module).__name__}: {said if len(said) <= 400 else said[:397] + '...'}")


def shape(value: Tensor) -> str:
    return str(tuple(value.shape))[:60]
