"""Published directions: arrays of NumPy and files of torch, read as numbers. Nothing in them is executed."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from latent_lab.checkpoints.container import open_tree
from latent_lab.checkpoints.limits import FAULTS, plain_file, quote, reason

# bytes of an archive's arrays once they are unpacked, and times its own; published ones have 1.1
LARGEST, TIMES = 2**30, 20
# GANSpace's components in .pt, and in .npz those carried to the latent
COMPONENTS = (("comp", "std"), ("lat_comp", "lat_stdev"))
FORMATS = (".npy", ".npz", ".pt")


def read_directions(file: str | Path) -> Tensor:
    r"""Read the directions in a file, in float32: :math:`(D,)`, :math:`(K, D)`, :math:`(K, 1, D)`, or with a row for
    each layer of w+.

    An array alone (InterFaceGAN's boundaries, SeFa's ``.npy``) comes as it is. GANSpace's components are scaled by
    their standard deviations, so that an amount of 1 is one of them; a factorisation of rosinality (``eigvec``) has its
    directions in columns.

    Raises:
        ValueError: if the file holds anything else, or numbers that are no directions.
    """
    found = read_arrays(Path(file))
    if isinstance(found, Mapping):
        arrays = {name: value for name, value in found.items() if isinstance(value, Tensor)}
        found = choose_directions(arrays, list(found), file)
    if not isinstance(found, Tensor) or not 1 <= found.ndim <= 3 or not found.is_floating_point():
        shape = f"{found.dtype} of {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"{file} must hold an array of floating-point numbers with 1 to 3 dimensions, got {shape}")
    if not found.numel() or not found.isfinite().all() or not found.any():
        raise ValueError(f"{file} must hold directions: finite numbers, not all of them 0")
    return found.float()


def choose_directions(arrays: Mapping[str, Tensor], names: Sequence[object], file: str | Path) -> Tensor:
    """Return the directions among named arrays.

    Arguments:
        arrays: The arrays.
        names: All keys of the file, for the error message.
        file: The file, for error messages.
    """
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


def read_arrays(file: Path) -> object:
    """Read a tensor, or a dictionary of tensors; a file that asks for Python's objects is refused."""
    with open(plain_file(file, "directions"), "rb") as stream:
        start = stream.read(6)
    try:
        if start == b"\x93NUMPY":
            return to_tensor(parse_array(file.read_bytes()))
        if start[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                if all(entry.filename.endswith(".npy") for entry in entries):
                    require_small(entries, file.stat().st_size)
                    arrays = {
                        entry.filename.removesuffix(".npy"): parse_array(archive.read(entry)) for entry in entries
                    }
                    return {name: to_tensor(array) for name, array in arrays.items() if array.dtype.kind in "fiu"}
    except FAULTS as error:
        raise ValueError(f"{file} is no file of arrays that can be read: {reason(error)}") from None
    tree = open_tree(file)
    if isinstance(tree, dict):
        return {name: to_tensor(value) if isinstance(value, np.ndarray) else value for name, value in tree.items()}
    return to_tensor(tree) if isinstance(tree, np.ndarray) else tree


def require_small(entries: Sequence[zipfile.ZipInfo], size: int) -> None:
    """Raise an error where the parts of a zip would unpack to many times its size, as numbers do not.

    Arguments:
        entries: The parts.
        size: Bytes of the zip.
    """
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > min(LARGEST, TIMES * size + 2**22):
        raise ValueError(
            f"its {size} bytes would be unpacked to {unpacked}; at most {TIMES} times as many are read, "
            f"and {LARGEST >> 20} MiB"
        )
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
        raise ValueError("its parts must be stored or deflated")


def parse_array(content: bytes) -> np.ndarray:
    """Return the array of a .npy file, of numbers or texts.

    Raises:
        ValueError: if it holds Python's objects, or its size is not that of its shape.
    """
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its version of NumPy's format must be 1.0 or 2.0, got {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.kind not in "fiubcSU" or dtype.itemsize == 0:
        raise ValueError(f"its arrays must be of numbers, got {quote(str(dtype))}")
    count, start = math.prod(shape), stream.tell()
    if min(shape, default=0) < 0 or max(shape, default=0) > 2**62 or count * dtype.itemsize != len(content) - start:
        raise ValueError(
            f"an array of the shape {str(shape)[:60]} does not have the {len(content) - start} bytes of its numbers"
        )
    return np.frombuffer(content, dtype, count, start).reshape(shape, order="F" if fortran else "C")


def to_tensor(array: np.ndarray) -> Tensor:
    """Return an array of numbers as a tensor, in the byte order of this machine."""
    if array.dtype.kind not in "fiu":
        raise ValueError(f"its arrays must be of numbers, got {array.dtype}")
    # a copy: a file's bytes cannot be written
    return torch.from_numpy(np.array(array, array.dtype.newbyteorder("="), order="C"))


def directions_bytes(directions: Tensor, mean: Tensor, suffix: str) -> bytes:
    """Return the content of a file of directions, from which :func:`read_directions` reads them back.

    Arguments:
        directions: Directions with shape :math:`(K, D)`, or :math:`(K, L, D)` with a row for each layer of w+.
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
