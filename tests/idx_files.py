"""Files in MNIST's format, as tests need them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

from torch import Tensor


def write_idx(file: Path, values: Tensor) -> None:
    """Write bytes (uint8) with their shape."""
    header = struct.pack(f">HBB{values.ndim}i", 0, 8, values.ndim, *values.shape)
    with gzip.open(file, "wb", compresslevel=1) as stream:
        stream.write(header + values.numpy().tobytes())
