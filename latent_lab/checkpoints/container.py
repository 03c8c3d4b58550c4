"""What holds a published checkpoint: a zip of torch, torch's older format, a bare pickle, OpenVINO's XML; told apart by content."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import torch

from latent_lab.checkpoints.openvino import read_graph
from latent_lab.checkpoints.unpickling import DTYPES, Storage, plain, span, unpickle

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def open_tree(file: str | Path):
    """The content of a checkpoint as plain dicts, lists, tensors and arrays. Nothing in it is executed.

    A file cannot make it allocate more than a few times its own size. Anything but numbers and their names is refused with
    the name of what was refused.
    """
    content = Path(file).read_bytes()
    try:
        if content[:4] == b"PK\x03\x04":
            return plain(read_zip(content))
        if content[:5] == b"<?xml":
            beside = {part for part in Path(file).parent.glob("*.xml") if part.with_suffix(".bin").is_file()}  # graphs, not any XML
            return {part.stem: read_graph(part) for part in sorted(beside | {Path(file)})}
        if content[:1] != b"\x80":  # of every pickle since protocol 2
            raise ValueError("it is neither safetensors, nor a file of torch, nor a pickle")
        return plain(read_legacy(content) if is_legacy(content) else read_pickle(content))
    except (ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, struct.error, EOFError, MemoryError) as error:
        raise ValueError(f"{file} is no checkpoint that can be read: {str(error)[:300]}") from None


def whole(content: bytes, start: int = 0) -> tuple[bytes, int]:
    """The pickle at ``start``, and where it ends."""
    end = span(content, start)
    return content[start:end], end


def read_pickle(content: bytes):
    return unpickle(whole(content)[0], nested=only_storage)


def only_storage(raw: bytes) -> Storage:
    """The storage that NVIDIA's pickles keep as a torch file of its own."""
    found = read_zip(raw) if raw[:4] == b"PK\x03\x04" else read_legacy(raw)
    if not isinstance(found, Storage):
        raise ValueError("a nested file must hold one storage")
    return found


def described(identity, records: dict[str, bytes]) -> Storage:
    """A storage from torch's persistent id ``('storage', type, key, place, numel)``; its bytes may come into ``records`` later."""

    def content() -> bytes:
        if key not in records:
            raise ValueError(f"storage {key[:40]} is missing")
        return records[key]

    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage" or identity[1] not in DTYPES.values():
        raise ValueError("it has a persistent id that is no storage")
    if len(identity) > 5 and identity[5] is not None:
        raise ValueError("it has views of storages, which torch no longer writes")
    key, numel = str(identity[2]), identity[4]
    if type(numel) is not int or numel < 0:
        raise ValueError(f"a storage must have a size, got {numel!r}")
    return Storage(identity[1], numel, content)


def read_zip(content: bytes):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or sum(e.file_size for e in entries) > len(content):
            raise ValueError("a torch file must not be compressed, nor its parts overlap")
        names = {entry.filename for entry in entries}
        (main,) = [name for name in names if name.endswith("data.pkl") and name.count("/") <= 1] or [""]
        if not main:
            raise ValueError("the zip holds no data.pkl")
        prefix = main[: -len("data.pkl")]
        if f"{prefix}byteorder" in names and archive.read(f"{prefix}byteorder") != b"little":
            raise ValueError("it was written on a big-endian machine")
        records = {name[len(f"{prefix}data/") :]: archive.read(name) for name in names if name.startswith(f"{prefix}data/")}
        pickled, _ = whole(archive.read(main))
        return unpickle(pickled, lambda identity: described(identity, records), nested=only_storage)


def is_legacy(content: bytes) -> bool:
    return MAGIC.to_bytes(10, "little") in content[:20]


def read_legacy(content: bytes):
    at, heads = 0, []
    for _ in range(3):
        part, at = whole(content, at)
        heads.append(unpickle(part))
    if heads[:2] != [MAGIC, PROTOCOL] or not isinstance(heads[2], dict) or not heads[2].get("little_endian", True):
        raise ValueError("its header is not that of a torch file")
    records: dict[str, bytes] = {}
    dtypes: dict[str, torch.dtype] = {}

    def storage(identity) -> Storage:
        made = described(identity, records)
        dtypes[str(identity[2])] = made.dtype
        return made

    main, at = whole(content, at)
    tree = unpickle(main, storage)
    part, at = whole(content, at)
    keys = unpickle(part)
    if not isinstance(keys, list):
        raise ValueError("its list of storages is damaged")
    for key in map(str, keys):
        if key not in dtypes:
            raise ValueError(f"storage {key[:40]} belongs to no tensor")
        (numel,) = struct.unpack_from("<q", content, at)
        size = numel * dtypes[key].itemsize
        if numel < 0 or at + 8 + size > len(content):
            raise ValueError(f"it ends before its storage {key[:40]}")
        records[key] = content[at + 8 : at + 8 + size]
        at += 8 + size
    return tree
