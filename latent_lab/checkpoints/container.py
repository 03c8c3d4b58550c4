"""Containers of published checkpoints: torch's zip and its older format, bare pickles, and OpenVINO's XML; told apart
by content."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

from latent_lab.checkpoints.limits import FAULTS, plain_file, quote, reason
from latent_lab.checkpoints.openvino import read_graph
from latent_lab.checkpoints.stand_ins import DTYPES, Storage
from latent_lab.checkpoints.trees import to_plain
from latent_lab.checkpoints.unpickling import Work, unpickle

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
GRAPHS = 16  # XML files beside the one that is read


def open_tree(file: str | Path) -> object:
    """Read a checkpoint as plain dicts, lists, tensors and arrays. Nothing in it is executed.

    A file of n bytes is read in a time and a memory of a few times n, or refused. So is one that names anything but
    numbers and their names.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is refused; the message names the reason.
    """
    plain_file(file, "a checkpoint")
    try:
        content = Path(file).read_bytes()
        work = Work(len(content))
        if content[:4] == b"PK\x03\x04":
            return to_plain(read_zip(content, work), len(content))
        if content[:5] == b"<?xml":
            # graphs, not any XML
            beside = {part for part in Path(file).parent.glob("*.xml") if part.with_suffix(".bin").is_file()}
            if len(beside) > GRAPHS:
                raise ValueError(f"it lies beside {len(beside)} other graphs, more than {GRAPHS}")
            return {part.stem: read_graph(part) for part in sorted(beside | {Path(file)})}
        if content[:1] != b"\x80":  # of every pickle since protocol 2
            raise ValueError("it is neither safetensors, nor a file of torch, nor a pickle")
        return to_plain(read_legacy(content, work) if is_legacy(content) else read_pickle(content, work), len(content))
    except FAULTS as error:
        raise ValueError(f"{file} is no checkpoint that can be read: {reason(error, 300)}") from None


class Storages(dict[str, bytes]):
    """The bytes of a file's storages by their keys; they may come later in the file than the tensors that use them."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Storage] = {}

    def look_up(self, identity: object) -> Storage:
        """Return the storage of torch's persistent id ``('storage', type, key, place, numel)``, the same for each use
        of a key."""
        if (
            not isinstance(identity, tuple)
            or len(identity) < 5
            or identity[0] != "storage"
            or identity[1] not in DTYPES.values()
        ):
            raise ValueError("it has a persistent id that is no storage")
        if len(identity) > 5 and identity[5] is not None:
            raise ValueError("it has views of storages, which torch no longer writes")
        key, numel = require_storage_key(identity[2]), identity[4]
        if type(numel) is not int or not 0 <= numel < 2**62:
            raise ValueError(f"a storage must have a size, got {quote(numel)}")
        made = self.known.setdefault(key, Storage(identity[1], numel, lambda: self.take(key)))
        if (made.dtype, made.numel) != (identity[1], numel):
            raise ValueError(f"storage {quote(key)} is of two types or sizes")
        return made

    def take(self, key: str) -> bytes:
        """Return the bytes of a storage, once: a large file is not kept twice."""
        if key not in self:
            raise ValueError(f"storage {quote(key)} is missing")
        return self.pop(key)


def require_storage_key(key: object) -> str:
    """Return the key of a storage as a text.

    Raises:
        ValueError: if it is no text or number.
    """
    if not isinstance(key, str | int):
        raise ValueError(f"the key of a storage must be a text or a number, got {quote(key)}")
    return str(key)


def read_pickle(content: bytes, work: Work) -> object:
    """Read a bare pickle; its storages are files of torch within it."""
    return unpickle(content, work=work, nested=lambda raw: read_nested(raw, work))[0]


def read_nested(raw: object, work: Work) -> Storage:
    """Read the storage that NVIDIA's pickles keep as a torch file of its own; it holds no further files."""
    if not isinstance(raw, bytes | bytearray):
        raise ValueError("a nested file must be bytes")
    found = read_zip(bytes(raw), work, nested=False) if raw[:4] == b"PK\x03\x04" else read_legacy(bytes(raw), work)
    if not isinstance(found, Storage):
        raise ValueError("a nested file must hold one storage")
    return found


def read_zip(content: bytes, work: Work, nested: bool = True) -> object:
    """Read torch's zip: a pickle beside its storages.

    Arguments:
        content: The file.
        work: Its budget.
        nested: False refuses files of torch within it.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        stored = all(
            entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size for entry in entries
        )
        if not stored or sum(entry.file_size for entry in entries) > len(content):
            raise ValueError("a torch file must not be compressed, nor its parts overlap")
        names = {entry.filename for entry in entries}
        mains = [name for name in names if name.endswith("data.pkl") and name.count("/") <= 1]
        if len(mains) != 1:
            raise ValueError("the zip holds no data.pkl" if not mains else "the zip holds more than one data.pkl")
        prefix = mains[0][: -len("data.pkl")]
        if f"{prefix}byteorder" in names and archive.read(f"{prefix}byteorder") != b"little":
            raise ValueError("it was written on a big-endian machine")
        storages = Storages()
        for name in names:
            if name.startswith(f"{prefix}data/"):
                storages[name[len(f"{prefix}data/") :]] = archive.read(name)
        inner = (lambda raw: read_nested(raw, work)) if nested else None
        return unpickle(archive.read(mains[0]), work=work, storage=storages.look_up, nested=inner)[0]


def is_legacy(content: bytes) -> bool:
    """Tell whether content is in the format that torch wrote before version 1.6."""
    return MAGIC.to_bytes(10, "little") in content[:20]


def read_legacy(content: bytes, work: Work) -> object:
    """Read torch's older format: three pickles of its header, one of the content, one of the storages' keys, and their
    bytes."""
    at = 0
    heads: list[object] = []
    for _ in range(3):
        part, at = unpickle(content, at, work=work)
        heads.append(part)
    machine = heads[2]
    if heads[:2] != [MAGIC, PROTOCOL] or not isinstance(machine, dict) or not machine.get("little_endian", True):
        raise ValueError("its header is not that of a torch file")
    storages = Storages()
    tree, at = unpickle(content, at, work=work, storage=storages.look_up)
    keys, at = unpickle(content, at, work=work)
    if not isinstance(keys, list):
        raise ValueError("its list of storages is damaged")
    for key in map(require_storage_key, keys):
        if key not in storages.known:
            raise ValueError(f"storage {quote(key)} belongs to no tensor")
        (numel,) = struct.unpack_from("<q", content, at)
        size = numel * storages.known[key].dtype.itemsize
        if numel < 0 or at + 8 + size > len(content):
            raise ValueError(f"it ends before its storage {quote(key)}")
        storages[key] = content[at + 8 : at + 8 + size]
        at += 8 + size
    return tree
