"""The attacks that are no pickles: headers of safetensors, graphs, arrays, and files that have no end."""

from __future__ import annotations

import json
import os
import pickle
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
from latent_lab.checkpoints.weights import read_weights
from latent_lab.graphs.tfjs import GraphModel
from latent_lab.inversion.encoders.files import read_encoder
from latent_lab.inversion.fusion.hierarchy import Hierarchy
from latent_lab.inversion.fusion.net import FusionNet
from latent_lab.loading import read_generator
from latent_lab.runs import Run
from tests.checkpoints.attacks import ATTACKS, TUPLES, Attack, attack, of_bytes
from tests.graphs.graphs import write_graph


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
    ATTACKS[f"{title} of a generator"] = of_bytes(
        native(STYLE | {"config": config}, literal="9" * 4000), read_generator
    )
ATTACKS |= {
    "a hundred thousand blocks": of_bytes(
        native({"class": "latent_lab.gans.glo.GLO", "config": {"latent_dim": 1, "widths": [1] * 100_000}}),
        read_generator,
    ),
    "arrays of a thousand million layers": of_bytes(
        native({"class": "latent_lab.gans.stylegan3.StyleGAN3", "config": {"layers": 10**9, "critical": 1}}),
        read_generator,
    ),
    "a filter of a thousand million taps": of_bytes(
        native({"class": "latent_lab.gans.stylegan3.StyleGAN3", "config": {"filter_size": 10**8, "resolution": 64}}),
        read_generator,
    ),
    "a class that is a number": of_bytes(native({"class": [5], "config": {}}), read_generator),
    "lists in lists": of_bytes(
        native(STYLE | {"config": {"clamp": "HERE"}}, literal="[" * 100_000 + "]" * 100_000), read_generator
    ),
    "a classifier of terabytes": of_bytes(
        native({"config": {"image_channels": 1, "classes": 10, "widths": [1, 1], "embedding": 10**11}}),
        lambda file: load_classifier(str(file)),
    ),
    "a classifier without a config": of_bytes(native({"config": 3}), lambda file: load_classifier(str(file))),
    "a fusion network beyond any address": of_bytes(
        native({"class": "FusionNet", "config": {"width": 1, "hidden": 10**18, "layers": 1, "common_layers": 0}}),
        FusionNet.load,
    ),
    "an encoder of rows without end": of_bytes(
        native(
            {
                "format": 1,
                "networks": {"encoder": {"rows": 10**9, "style_dim": 1, "widths": [16] * 4, "depths": [1] * 4}},
                "iterations": 1,
            }
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
        {
            "state_dict": {f"encoder.{name}": torch.zeros(size) for name, size in sizes.items()},
            "latent_avg": torch.zeros(4),
        },
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
