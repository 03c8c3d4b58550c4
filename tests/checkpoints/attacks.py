"""Small files that ask for years or for terabytes: each writes itself into a folder, and returns what reads it."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from latent_lab.checkpoints.weights import read_weights
from tests.checkpoints.writers import modules

Attack = Callable[[Path], Callable[[], object]]
ATTACKS: dict[str, Attack] = {}
PROTOCOL = b"\x80\x04"


def attack(name: str) -> Callable[[Attack], Attack]:
    def keep(made: Attack) -> Attack:
        ATTACKS[name] = made
        return made

    return keep


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def raw(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def put(place: int) -> bytes:
    return b"r" + struct.pack("<I", place)


def get(place: int) -> bytes:
    return b"j" + struct.pack("<I", place)


def zipped(main: bytes, *storages: bytes) -> bytes:
    """A torch file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a/data.pkl", main)
        for i, content in enumerate(storages):
            archive.writestr(f"a/data/{i}", content)
    return stream.getvalue()


def storage(key: bytes, numel: bytes) -> bytes:
    return b"(" + text("storage") + named("torch", "FloatStorage") + key + text("cpu") + numel + b"tQ"


def tensor(kept: bytes, shape: bytes, stride: bytes) -> bytes:
    return named("torch._utils", "_rebuild_tensor_v2") + b"(" + kept + b"K\x00" + shape + stride + b"\x89}tR"


def whole(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


TUPLES = b")" + b"q\x00h\x00\x86" * 60  # a tuple of the same tuple twice, and so on


def of_bytes(content: bytes, read: Callable = read_weights, name: str = "weights") -> Attack:
    """An attack that is one file."""

    def write(folder: Path) -> Callable[[], object]:
        (folder / name).write_bytes(content)
        return partial(read, folder / name)

    return write


ATTACKS |= {
    "tuples as a key": of_bytes(PROTOCOL + b"}" + TUPLES + b"Ns."),
    "tuples as a key of a torch file": of_bytes(zipped(PROTOCOL + b"}" + TUPLES + b"Ns.")),
    "tuples in a set": of_bytes(PROTOCOL + b"\x8f(" + TUPLES + b"\x90."),
    "tuples in a frozen set": of_bytes(PROTOCOL + b"(" + TUPLES + b"\x91."),
    "tuples as a key of pairs": of_bytes(
        PROTOCOL + named("collections", "OrderedDict") + b"]]" + TUPLES + b"aNaa\x85R."
    ),
    "tuples as a dtype": of_bytes(PROTOCOL + named("numpy", "dtype") + TUPLES + b"\x85R."),
    "tuples as the size of a storage": of_bytes(zipped(PROTOCOL + storage(text("0"), TUPLES) + b".", bytes(4))),
    "tuples as the key of a storage": of_bytes(zipped(PROTOCOL + storage(TUPLES, b"K\x01") + b".", bytes(4))),
    "bytes again and again": of_bytes(
        PROTOCOL
        + text("a" * 2**20)
        + put(0)
        + b"0]("
        + (named("_codecs", "encode") + get(0) + text("latin1") + b"\x86R") * 3000
        + b"e."
    ),
    "a path that doubles": of_bytes(
        PROTOCOL + text("a" * 9) + (put(0) + b"0" + named("pathlib", "Path") + get(0) * 2 + b"\x86R") * 40 + b"."
    ),
    "shapes again and again": of_bytes(
        PROTOCOL
        + b"("
        + b"K\x01" * 10**5
        + b"l"
        + put(0)
        + b"0]("
        + (named("torch", "Size") + get(0) + b"\x85R") * 4000
        + b"e."
    ),
    "sizes of 255 bytes": of_bytes(
        zipped(
            PROTOCOL
            + tensor(
                storage(text("0"), b"K\x01"), b"(" + (b"\x8a\xff" + b"\x7f" * 255) * 20_000 + b"t" + put(0), get(0)
            )
            + b".",
            bytes(4),
        )
    ),
    "a control character in a name": of_bytes(PROTOCOL + named("os\x1b[31m", "system") + b")R."),
    "a list where a dictionary is wanted": of_bytes(pickle.dumps({"generator_smooth": [1], "g_ema": 2, "avgG": "x"})),
    "a network without a state": of_bytes(PROTOCOL + b"NN" + named("dnnlib.tflib.network", "Network") + b")R\x87."),
}


@attack("keys that collide")
def colliding(folder: Path) -> Callable[[], object]:
    keys = b"".join(b"\x8a\x0b" + (i * (2**61 - 1)).to_bytes(11, "little", signed=True) + b"N" for i in range(100_000))
    return of_bytes(PROTOCOL + b"}(" + keys + b"u.")(folder)


@attack("files in files")
def nested(folder: Path) -> Callable[[], object]:
    content = zipped(PROTOCOL + storage(text("0"), b"K\x01") + b".", bytes(4))
    for _ in range(30):
        call = get(0) + get(1) + b"\x85R"
        content = zipped(
            PROTOCOL
            + named("torch.storage", "_load_from_bytes")
            + put(0)
            + raw(content)
            + put(1)
            + call
            + b"0"
            + call
            + b"."
        )
    return of_bytes(content)(folder)


@attack("one file in a file again and again")
def again(folder: Path) -> Callable[[], object]:
    inner = raw(zipped(PROTOCOL + storage(text("0"), whole(2**18)) + b".", bytes(2**20)))
    call = named("torch.storage", "_load_from_bytes") + get(0) + b"\x85R"
    return of_bytes(PROTOCOL + inner + put(0) + b"0](" + call * 3000 + b"e.")(folder)


@attack("pairs whose names collide")
def pairs(folder: Path) -> Callable[[], object]:
    names = b"".join(
        b"\x8a\x0b" + (i * (2**61 - 1)).to_bytes(11, "little", signed=True) + b"N\x86" for i in range(100_000)
    )
    network = named("tfutil", "Network") + b")R" + b"}" + text("variables") + b"](" + names + b"es" + b"b"
    return of_bytes(PROTOCOL + b"NN" + network + b"\x87.")(folder)


@attack("numbers in names that collide")
def numbered(folder: Path) -> Callable[[], object]:
    names = [f"model.{i * (2**61 - 1)}.conv1.weight" for i in range(100_000)]
    names += ["model.0.weight", "model.2.conv1.weight", "model.2.model.6.weight"]
    return of_bytes(pickle.dumps(dict.fromkeys(names)))(folder)


def layers(count: int, weight: bytes, scale: bytes) -> bytes:
    """ProgGAN's names, each with the same tensors."""
    parts = [(f"features.{i}.conv.weight", weight) for i in range(count)] + [
        (f"features.{i}.wscale.scale", scale) for i in range(count)
    ]
    parts += [(f"features.{i}.wscale.b", scale) for i in range(count)]
    parts += [("output.conv.weight", weight), ("output.wscale.scale", scale), ("output.wscale.b", scale)]
    return b"}(" + b"".join(text(name) + value for name, value in parts) + b"u."


@attack("one tensor under many names")
def shared(folder: Path) -> Callable[[], object]:
    size = 2**18
    shape, stride = whole(2) + whole(size // 8) + whole(2) + whole(2) + b"tt", b""
    weight = tensor(
        storage(text("0"), whole(size)), b"(" + shape[:-1], b"(" + whole(size // 2) + b"K\x04K\x02K\x01t" + stride
    )
    scale = tensor(storage(text("1"), b"K\x01"), b")", b")")
    main = PROTOCOL + weight + put(0) + b"0" + scale + put(1) + b"0" + layers(3000, get(0), get(1))
    return of_bytes(zipped(main, bytes(4 * size), bytes(4)))(folder)


@attack("one storage read for many tensors")
def duplicated(folder: Path) -> Callable[[], object]:
    one = tensor(storage(text("0"), whole(2**18)), whole(2**18) + b"\x85", b"K\x01\x85")
    return of_bytes(zipped(PROTOCOL + b"](" + one * 3000 + b"e.", bytes(2**20)))(folder)


@attack("vectors whose product is a matrix")
def outer(folder: Path) -> Callable[[], object]:
    size = 200_000
    weight = tensor(
        storage(text("0"), whole(size)), b"(" + whole(size) + b"K\x01K\x01K\x01t", b"(K\x01K\x01K\x01K\x01t"
    )
    scale = tensor(storage(text("1"), whole(size)), whole(size) + b"\x85", b"K\x01\x85")
    return of_bytes(zipped(PROTOCOL + layers(2, weight, scale), bytes(4 * size), bytes(4 * size)))(folder)


class Module:
    """Pickles as a module of NVIDIA's, with children of any names."""

    def __init__(self, children: dict) -> None:
        self.state = {"_parameters": {}, "_buffers": {}, "_modules": children, "_init_kwargs": {}}

    def __reduce__(self):
        import sys

        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, ({"state": self.state},)


def nvidia(module: Module) -> bytes:
    def made(meta):
        raise AssertionError("called")

    with modules(torch_utils__persistence=("_reconstruct_persistent_obj", made)):
        return pickle.dumps({"G_ema": module}, protocol=4)


@attack("modules that share their parts")
def tree(folder: Path) -> Callable[[], object]:
    module = Module({})
    for _ in range(17):
        module = Module(dict.fromkeys("abcdef", module))
    return of_bytes(nvidia(module))(folder)


@attack("a module within itself")
def circle(folder: Path) -> Callable[[], object]:
    parts = (
        text("_parameters") + b"}" + text("_buffers") + b"}" + text("_modules") + get(0) + text("_init_kwargs") + b"}"
    )
    whole = (
        named("torch_utils.persistence", "_reconstruct_persistent_obj")
        + b"}"
        + text("state")
        + get(1)
        + b"s\x85R"
        + put(2)
        + b"0"
    )
    children = get(0) + b"(" + text("a") + get(2) + text("b") + get(2) + b"u0"
    return of_bytes(
        PROTOCOL
        + b"}"
        + put(0)
        + b"0}("
        + parts
        + b"u"
        + put(1)
        + b"0"
        + whole
        + children
        + b"}"
        + text("G_ema")
        + get(2)
        + b"s."
    )(folder)
