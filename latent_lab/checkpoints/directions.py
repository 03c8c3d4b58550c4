"""Directions that others publish: arrays of NumPy and files of torch, read as numbers. Nothing in them is executed."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from latent_lab.checkpoints.container import open_tree
from latent_lab.checkpoints.limits import plain_file, reason, shown

# bytes of an archive's arrays once they are unpacked, and times its own; published ones have 1.1
LARGEST, TIMES = 2**30, 20
FAULTS = (
    ValueError,
    TypeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    MemoryError,
    OSError,
    LookupError,
)
# GANSpace's components in .pt, and in .npz those carried to the latent
COMPONENTS = (("comp", "std"), ("lat_comp", "lat_stdev"))
FORMATS = (".npy", ".npz", ".pt")


def read_directions(file: str | Path) -> Tensor:
    r"""Directions as a file has them, in float32: :math:`(D,)`, :math:`(K, D)`, :math:`(K, 1, D)`, or with a row for
    each layer of w+.

    An array alone (InterFaceGAN's boundaries, SeFa's ``.npy``) comes as it is. GANSpace's components are scaled by
    their standard deviations, so that an amount of 1 is one of them; a factorisation of rosinality (``eigvec``) has its
    directions in columns.

    Raises:
        ValueError: if the file holds anything else, or numbers that are no directions.
    """
    found = read_arrays(Path(file))
    if isinstance(found, Mapping):
        found = of_table({name: value for name, value in found.items() if isinstance(value, Tensor)}, list(found), file)
    if not isinstance(found, Tensor) or not 1 <= found.ndim <= 3 or not found.is_floating_point():
        shape = f"{found.dtype} of {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"{file} must hold an array of floating-point numbers with 1 to 3 dimensions, got {shape}")
    if not found.numel() or not found.isfinite().all() or not found.any():
        raise ValueError(f"{file} must hold directions: finite numbers, not all of them 0")
    return found.float()


def of_table(arrays: Mapping[str, Tensor], names: list, file: str | Path) -> Tensor:
    """The directions among named arrays."""
    for components, deviations in COMPONENTS:
        if components in arrays and deviations in arrays:
            component, deviation = arrays[components], arrays[deviations].flatten()
            if component.ndim < 2 or len(component) != len(deviation):
                raise ValueError(
                    f"{file} must have one {deviations} for each {components}, "
                    f"got {len(deviation)} for {tuple(component.shape)}"
                )
            return component * deviation.view(-1, *[1] * (component.ndim - 1))
    if "eigvec" in arrays and arrays["eigvec"].ndim > 1:
        return arrays["eigvec"].mT
    wanted = " or ".join("with ".join((f"{one} ", two)) for one, two in COMPONENTS)
    raise ValueError(
        f"{file} must hold an array alone, {wanted} (GANSpace), or eigvec (rosinality), "
        f"got the keys {[str(name)[:40] for name in names[:8]]}"
    )


def read_arrays(file: Path) -> Tensor | Mapping | object:
    """A tensor, or a table of them by name. Python objects in the file are refused."""
    with open(plain_file(file, "directions"), "rb") as stream:
        start = stream.read(6)
    try:
        if start == b"\x93NUMPY":
            return tensor(array_of(file.read_bytes()))
        if start[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                if all(entry.filename.endswith(".npy") for entry in entries):
                    require_small(entries, file.stat().st_size)
                    arrays = {entry.filename.removesuffix(".npy"): array_of(archive.read(entry)) for entry in entries}
                    return {name: tensor(array) for name, array in arrays.items() if array.dtype.kind in "fiu"}
    except FAULTS as error:
        raise ValueError(f"{file} is no file of arrays that can be read: {reason(error)}") from None
    tree = open_tree(file)
    if isinstance(tree, dict):
        return {name: tensor(value) if isinstance(value, np.ndarray) else value for name, value in tree.items()}
    return tensor(tree) if isinstance(tree, np.ndarray) else tree


def require_small(entries: Sequence[zipfile.ZipInfo], size: int) -> None:
    """An error where the parts of a zip of ``size`` bytes unpack to many times of it: numbers do not."""
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > min(LARGEST, TIMES * size + 2**22):
        raise ValueError(
            f"its {size} bytes would be unpacked to {unpacked}; at most {TIMES} times as many are read, "
            f"and {LARGEST >> 20} MiB"
        )
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
        raise ValueError("its parts must be stored or deflated")


def array_of(content: bytes) -> np.ndarray:
    """The array of a .npy file: of numbers or texts, as large as the file has room for."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its version of NumPy's format must be 1.0 or 2.0, got {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.kind not in "fiubcSU" or dtype.itemsize == 0:
        raise ValueError(f"its arrays must be of numbers, got {shown(str(dtype))}")
    count, start = math.prod(shape), stream.tell()
    if min(shape, default=0) < 0 or max(shape, default=0) > 2**62 or count * dtype.itemsize != len(content) - start:
        raise ValueError(
            f"an array of the shape {str(shape)[:60]} does not have the {len(content) - start} bytes of its numbers"
        )
    return np.frombuffer(content, dtype, count, start).reshape(shape, order="F" if fortran else "C")


def tensor(array: np.ndarray) -> Tensor:
    """An array of numbers in the machine's byte order."""
    if array.dtype.kind not in "fiu":
        raise ValueError(f"its arrays must be of numbers, got {array.dtype}")
    # a copy: a file's bytes cannot be written
    return torch.from_numpy(np.array(array, array.dtype.newbyteorder("="), order="C"))


def directions_bytes(directions: Tensor, mean: Tensor, suffix: str) -> bytes:
    r"""The content of a file of directions, which :func:`read_directions` gives back.

    Arguments:
        directions: With shape :math:`(K, D)`, or :math:`(K, L, D)` with a row for each layer of w+.
        mean: The space's mean, with shape :math:`(D,)`.
        suffix: ``.npy`` (the array alone, as InterFaceGAN and SeFa), ``.npz`` or ``.pt`` (GANSpace's components of unit
            length, and their lengths as standard deviations).
    """
    stream, array = io.BytesIO(), directions.detach().cpu().float()
    if suffix == ".npy":
        np.save(stream, array.numpy(), allow_pickle=False)
        return stream.getvalue()
    deviation = torch.linalg.vector_norm(array.flatten(1), dim=1)
    unit = array / deviation.view(-1, *[1] * (array.ndim - 1)).clamp_min(1e-30)
    unit, centre = unit[:, None] if array.ndim == 2 else unit, mean.detach().cpu().float()[None]
    if suffix == ".npz":
        np.savez(stream, lat_comp=unit.numpy(), lat_mean=centre.numpy(), lat_stdev=deviation.numpy())
    elif suffix == ".pt":
        torch.save({"mean": centre, "comp": unit.contiguous(), "std": deviation}, stream)
    else:
        raise ValueError(f"target must end in one of {FORMATS}, got {suffix!r}")
    return stream.getvalue()
