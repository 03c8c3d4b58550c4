"""Small files that ask for years or for terabytes: each writes itself into a folder, and returns what reads it."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from latent_lab.attributes.classifier import load_classifier
from latent_lab.attributes.user_files import load_user_file
from latent_lab.checkpoints.directions import read_directions
from latent_lab.checkpoints.tfjs import GraphModel
from latent_lab.checkpoints.weights import read_weights
from latent_lab.inversion.encoder_files import read_encoder
from latent_lab.inversion.fusion import Hierarchy
from latent_lab.inversion.fusion_net import FusionNet
from latent_lab.runs import Run
from latent_lab.workflows.build import read_generator
from tests.checkpoints.graphs import write_graph
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
    "tuples as a key of pairs": of_bytes(PROTOCOL + named("collections", "OrderedDict") + b"]]" + TUPLES + b"aNaa\x85R."),
    "tuples as a dtype": of_bytes(PROTOCOL + named("numpy", "dtype") + TUPLES + b"\x85R."),
    "tuples as the size of a storage": of_bytes(zipped(PROTOCOL + storage(text("0"), TUPLES) + b".", bytes(4))),
    "tuples as the key of a storage": of_bytes(zipped(PROTOCOL + storage(TUPLES, b"K\x01") + b".", bytes(4))),
    "bytes again and again": of_bytes(
        PROTOCOL + text("a" * 2**20) + put(0) + b"0](" + (named("_codecs", "encode") + get(0) + text("latin1") + b"\x86R") * 3000 + b"e."
    ),
    "a path that doubles": of_bytes(
        PROTOCOL + text("a" * 9) + (put(0) + b"0" + named("pathlib", "Path") + get(0) * 2 + b"\x86R") * 40 + b"."
    ),
    "shapes again and again": of_bytes(
        PROTOCOL + b"(" + b"K\x01" * 10**5 + b"l" + put(0) + b"0](" + (named("torch", "Size") + get(0) + b"\x85R") * 4000 + b"e."
    ),
    "sizes of 255 bytes": of_bytes(
        zipped(
            PROTOCOL + tensor(storage(text("0"), b"K\x01"), b"(" + (b"\x8a\xff" + b"\x7f" * 255) * 20_000 + b"t" + put(0), get(0)) + b".",
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
        content = zipped(PROTOCOL + named("torch.storage", "_load_from_bytes") + put(0) + raw(content) + put(1) + call + b"0" + call + b".")
    return of_bytes(content)(folder)


@attack("one file in a file again and again")
def again(folder: Path) -> Callable[[], object]:
    inner = raw(zipped(PROTOCOL + storage(text("0"), whole(2**18)) + b".", bytes(2**20)))
    call = named("torch.storage", "_load_from_bytes") + get(0) + b"\x85R"
    return of_bytes(PROTOCOL + inner + put(0) + b"0](" + call * 3000 + b"e.")(folder)


@attack("pairs whose names collide")
def pairs(folder: Path) -> Callable[[], object]:
    names = b"".join(b"\x8a\x0b" + (i * (2**61 - 1)).to_bytes(11, "little", signed=True) + b"N\x86" for i in range(100_000))
    network = named("tfutil", "Network") + b")R" + b"}" + text("variables") + b"](" + names + b"es" + b"b"
    return of_bytes(PROTOCOL + b"NN" + network + b"\x87.")(folder)


@attack("numbers in names that collide")
def numbered(folder: Path) -> Callable[[], object]:
    names = [f"model.{i * (2**61 - 1)}.conv1.weight" for i in range(100_000)]
    names += ["model.0.weight", "model.2.conv1.weight", "model.2.model.6.weight"]
    return of_bytes(pickle.dumps(dict.fromkeys(names)))(folder)


def layers(count: int, weight: bytes, scale: bytes) -> bytes:
    """ProgGAN's names, each with the same tensors."""
    parts = [(f"features.{i}.conv.weight", weight) for i in range(count)] + [(f"features.{i}.wscale.scale", scale) for i in range(count)]
    parts += [(f"features.{i}.wscale.b", scale) for i in range(count)]
    parts += [("output.conv.weight", weight), ("output.wscale.scale", scale), ("output.wscale.b", scale)]
    return b"}(" + b"".join(text(name) + value for name, value in parts) + b"u."


@attack("one tensor under many names")
def shared(folder: Path) -> Callable[[], object]:
    size = 2**18
    shape, stride = whole(2) + whole(size // 8) + whole(2) + whole(2) + b"tt", b""
    weight = tensor(storage(text("0"), whole(size)), b"(" + shape[:-1], b"(" + whole(size // 2) + b"K\x04K\x02K\x01t" + stride)
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
    weight = tensor(storage(text("0"), whole(size)), b"(" + whole(size) + b"K\x01K\x01K\x01t", b"(K\x01K\x01K\x01K\x01t")
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
    parts = text("_parameters") + b"}" + text("_buffers") + b"}" + text("_modules") + get(0) + text("_init_kwargs") + b"}"
    whole = named("torch_utils.persistence", "_reconstruct_persistent_obj") + b"}" + text("state") + get(1) + b"s\x85R" + put(2) + b"0"
    children = get(0) + b"(" + text("a") + get(2) + text("b") + get(2) + b"u0"
    return of_bytes(
        PROTOCOL + b"}" + put(0) + b"0}(" + parts + b"u" + put(1) + b"0" + whole + children + b"}" + text("G_ema") + get(2) + b"s."
    )(folder)


def native(metadata: dict, tensors: dict | None = None, literal: str | None = None) -> bytes:
    """A file of ours; ``literal`` is JSON that replaces the text ``"HERE"``."""
    values = {key: json.dumps(value) for key, value in metadata.items()}
    if literal is not None:
        values = {key: value.replace('"HERE"', literal) for key, value in values.items()}
    return save(tensors or {"a": torch.zeros(1)}, values)


STYLE = {"class": "latent_lab.gans.stylegan2.StyleGAN2"}
SMALL = {"latent_dim": 8, "style_dim": 8, "widths": [4, 4], "mapping_layers": 1}
for title, config in {
    "layers without end": SMALL | {"mapping_layers": 10**9},
    "an integer of 4,000 digits": SMALL | {"latent_dim": "HERE"},
}.items():
    ATTACKS[f"{title} of a generator"] = of_bytes(native(STYLE | {"config": config}, literal="9" * 4000), read_generator)
ATTACKS |= {
    "a hundred thousand blocks": of_bytes(
        native({"class": "latent_lab.gans.glo.GLO", "config": {"latent_dim": 1, "widths": [1] * 100_000}}), read_generator
    ),
    "arrays of a thousand million layers": of_bytes(
        native({"class": "latent_lab.gans.stylegan3.StyleGAN3", "config": {"layers": 10**9, "critical": 1}}), read_generator
    ),
    "a filter of a thousand million taps": of_bytes(
        native({"class": "latent_lab.gans.stylegan3.StyleGAN3", "config": {"filter_size": 10**8, "resolution": 64}}), read_generator
    ),
    "a class that is a number": of_bytes(native({"class": [5], "config": {}}), read_generator),
    "lists in lists": of_bytes(native(STYLE | {"config": {"clamp": "HERE"}}, literal="[" * 100_000 + "]" * 100_000), read_generator),
    "a classifier of terabytes": of_bytes(
        native({"config": {"image_channels": 1, "classes": 10, "widths": [1, 1], "embedding": 10**11}}),
        lambda file: load_classifier(str(file)),
    ),
    "a classifier without a config": of_bytes(native({"config": 3}), lambda file: load_classifier(str(file))),
    "a fusion network beyond any address": of_bytes(
        native({"class": "FusionNet", "config": {"width": 1, "hidden": 10**18, "layers": 1, "common_layers": 0}}), FusionNet.load
    ),
    "an encoder of rows without end": of_bytes(
        native(
            {"format": 1, "networks": {"encoder": {"rows": 10**9, "style_dim": 1, "widths": [16] * 4, "depths": [1] * 4}}, "iterations": 1}
        ),
        lambda file: read_encoder(str(file), "psp"),
    ),
}


def paths(name: str, **config) -> Attack:
    described = {"format": 1, "generator": "0", "space": "z", "class": f"latent_lab.paths.{name}", "config": config}
    return of_bytes(native(described), lambda file: Run(file.parent).load_paths(), "paths.safetensors")


ATTACKS |= {
    "paths of 327 gigabytes": paths("linear.LinearPaths", dim=286_000, num_paths=286_000, kind="free"),
    "paths of many networks": paths("walks.WalkPaths", dim=1, num_paths=10**9, kind="network"),
    "paths of many layers": paths("curvilinear.CurvilinearPaths", dim=2, num_paths=1, flow="ffjord", depth=10**9),
    "paths of another type": paths("linear.LinearPaths", dim="8", num_paths=[1]),
    "paths with a stranger's argument": paths("curvilinear.CurvilinearPaths", dim=2, num_paths=1, rng=5),
}


@attack("a published encoder with a head of a high number")
def heads(folder: Path) -> Callable[[], object]:
    sizes = {
        "input_layer.0.weight": (16, 3, 3, 3),
        "body.0.res_layer.3.weight": (16, 16, 3, 3),
        "body.0.res_layer.5.fc1.weight": (1, 16, 1, 1),
    }
    sizes |= {"styles.0.linear.weight": (4, 4), "styles.999999999.linear.weight": (4, 4)}
    torch.save(
        {"state_dict": {f"encoder.{name}": torch.zeros(size) for name, size in sizes.items()}, "latent_avg": torch.zeros(4)},
        folder / "a.pt",
    )
    return lambda: read_encoder(str(folder / "a.pt"), "psp")


@attack("a fusion network of vectors")
def fusion(folder: Path) -> Callable[[], object]:
    names = [f"{part}.disentangle_net.{i}" for part in ("blender_segments", "blender_common") for i in range(5)]
    torch.save({f"{name}.{kind}": torch.zeros(3) for name in names for kind in ("weight", "bias")}, folder / "a.pt")
    return lambda: FusionNet.load(folder / "a.pt")


@attack("a list of fusion networks that nests")
def listed(folder: Path) -> Callable[[], object]:
    (folder / "a.json").write_text("[" * 100_000)
    return lambda: Hierarchy({"all": None}, folder / "a.json")


@attack("a predictor's state dict with tuples as a key")
def predictor(folder: Path) -> Callable[[], object]:
    heads = [pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    (folder / "a.pth").write_bytes(b"".join([*heads, b"\x80\x02}" + TUPLES + b"Ns.", pickle.dumps([], protocol=2)]))
    return lambda: load_user_file(torch.nn.Linear(1, 1), str(folder / "a.pth"))


@attack("8,000 constants over one blob")
def constants(folder: Path) -> Callable[[], object]:
    data = '<data element_type="f32" shape="180000" offset="0" size="720000"/>'
    parts = "".join(f'<layer id="{i}" name="x" type="Const">{data}</layer>' for i in range(8000))
    (folder / "a.bin").write_bytes(bytes(720_000))
    return of_bytes(f'<?xml version="1.0"?><net><layers>{parts}</layers><edges/></net>'.encode(), name="a.xml")(folder)


@attack("a graph that nests")
def deep(folder: Path) -> Callable[[], object]:
    (folder / "a.bin").write_bytes(bytes(4))
    return of_bytes(b'<?xml version="1.0"?>' + b"<a>" * 10**7, name="a.xml")(folder)


@attack("an operation that reads all others, for all others")
def hub(folder: Path) -> Callable[[], object]:
    parts = [f'<layer id="{i}" name="x" type="Multiply"/>' for i in range(40_000)]
    parts += ['<layer id="h" name="h" type="Add"/>', '<layer id="r" name="r" type="Reshape"/>']
    parts += ['<layer id="c" name="c" type="Const"><data element_type="f32" shape="" offset="0" size="4"/></layer>']
    edges = [("c", "h", 40_000), ("h", "r", 0)]
    for i in range(40_000):
        edges += [("c", i, 0), ("r", i, 1), (i, "h", i)]
    written = "".join(f'<edge from-layer="{one}" to-layer="{other}" to-port="{port}"/>' for one, other, port in edges)
    graph = f'<?xml version="1.0"?><net><layers>{"".join(parts)}</layers><edges>{written}</edges></net>'
    for name in ("MappingNetwork", "SynthesisNetwork"):
        (folder / f"{name}.xml").write_text(graph)
        (folder / f"{name}.bin").write_bytes(bytes(4))
    return partial(read_weights, folder / "SynthesisNetwork.xml")


@attack("one file of weights many times")
def repeated(folder: Path) -> Callable[[], object]:
    file = write_graph(folder, [("y", "Relu", ["x"], {})], {"w": np.zeros(2**18, np.float32)}, (4, 4, 3))
    graph = json.loads(file.read_text())
    graph["weightsManifest"][0]["paths"] *= 3000
    file.write_text(json.dumps(graph))
    return lambda: GraphModel(file, ["y"])


@attack("a graph that enlarges an image")
def enlarged(folder: Path) -> Callable[[], object]:
    size = {"size": np.array([2**15, 2**15], np.int32)}
    file = write_graph(folder, [("y", "ResizeBilinear", ["x", "size"], {"half_pixel_centers": True})], size, (4, 4, 3))
    return lambda: GraphModel(file, ["y"])


@attack("zeros that were deflated")
def deflated(folder: Path) -> Callable[[], object]:
    with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, shape in (("comp", (120 * 2**20, 1)), ("std", (120 * 2**20,))):
            with archive.open(f"{name}.npy", "w") as stream:
                np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
                for _ in range(120):
                    stream.write(bytes(4 * 2**20))
    return lambda: read_directions(folder / "a.npz")


@attack("eigenvectors of one dimension")
def eigenvectors(folder: Path) -> Callable[[], object]:
    torch.save({"eigvec": torch.ones(3)}, folder / "a.pt")
    return lambda: read_directions(folder / "a.pt")


READERS = {"weights": read_weights, "directions": read_directions, "a generator": read_generator}
for title, reader in READERS.items():

    def pipe(folder: Path, reader: Callable = reader) -> Callable[[], object]:
        os.mkfifo(folder / "a.npz")
        return lambda: reader(folder / "a.npz")

    ATTACKS[f"a pipe for {title}"] = pipe
    ATTACKS[f"a device for {title}"] = lambda folder, reader=reader: partial(reader, Path("/dev/zero"))
    ATTACKS[f"a folder for {title}"] = lambda folder, reader=reader: partial(reader, folder)
