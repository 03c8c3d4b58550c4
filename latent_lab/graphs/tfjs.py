"""tfjs graph models (a JSON graph beside a .bin of weights) as frozen PyTorch modules, differentiable down to the
pixels."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from latent_lab.checkpoints.bounded import Counted
from latent_lab.checkpoints.limits import plain_file, reason, shown
from latent_lab.graphs.tfjs_operators import OPERATORS, unsupported

LARGEST_GRAPH = 32 * 2**20  # bytes of JSON; published graphs have less than one MiB
NODES, DIMENSIONS = 20_000, 8  # of a graph and of a weight; published graphs have some hundred nodes
TYPES = {"float32": np.float32, "int32": np.int32}
STORED = {"float16": np.float16}  # quantised weights


class Node(NamedTuple):
    """An operator of the graph: what it is called, what it does, what it reads, and its decoded attributes."""

    name: str
    op: str
    inputs: list[str]
    attr: dict[str, object]


def decoded(value: Mapping) -> object:
    """An attribute of a node: an integer, number, boolean, string or a list of them; None for types and shapes."""
    if "list" in value:
        ((kind, items),) = value["list"].items() or [("i", [])]
        return [decoded({kind: item}) for item in items]
    if "s" in value:
        return base64.b64decode(value["s"], validate=True).decode()
    if "i" in value:
        return int(value["i"])
    return value["b"] if "b" in value else value.get("f")


def read_nodes(graph: Mapping) -> dict[str, Node]:
    nodes = {}
    if len(graph["modelTopology"]["node"]) > NODES:
        raise ValueError(f"the graph has more than {NODES} nodes")
    for node in graph["modelTopology"]["node"]:
        if not isinstance(node["name"], str):
            raise ValueError(f"the name of a node must be a text, got {shown(node['name'])}")
        inputs = [name.removesuffix(":0") for name in node.get("input", []) if not name.startswith("^")]
        attr = {key: decoded(value) for key, value in node.get("attr", {}).items() if key != "value"}
        nodes[node["name"]] = Node(node["name"], node["op"], inputs, attr)
    return nodes


def read_weights(graph: Mapping, folder: Path) -> dict[str, Tensor]:
    """The weights of all groups. Their sizes must be the files' exactly."""
    weights: dict[str, Tensor] = {}
    files = [name for group in graph["weightsManifest"] for name in group["paths"]]
    if any(Path(name).name != name for name in files):
        raise ValueError(f"weights must lie beside the graph, got {str(files)[:100]}")
    if len(set(files)) < len(files):
        raise ValueError("its weights must name each file once")
    for group in graph["weightsManifest"]:
        content = b"".join(plain_file(folder / name, "weights").read_bytes() for name in group["paths"])
        start = 0
        for weight in group["weights"]:
            if not isinstance(weight["name"], str):
                raise ValueError(f"the name of a weight must be a text, got {shown(weight['name'])}")
            kind, shape = weight["dtype"], [int(size) for size in weight["shape"][: DIMENSIONS + 1]]
            quantised = weight.get("quantization")
            if kind not in TYPES or (quantised and quantised["dtype"] not in STORED):
                raise ValueError(
                    f"weights of the type {quantised['dtype'] if quantised and kind in TYPES else kind} are not "
                    "supported"
                )
            stored = np.dtype(STORED[quantised["dtype"]] if quantised else TYPES[kind])
            count = math.prod(shape)
            if len(shape) > DIMENSIONS or max(shape, default=0) > 2**31:
                raise ValueError(
                    f"the weight {shown(weight['name'])} must have at most {DIMENSIONS} sizes from 0 to 2^31"
                )
            if min(shape, default=0) < 0 or start + count * stored.itemsize > len(content):
                raise ValueError(f"{' + '.join(group['paths'])} ends before the weight {weight['name']}")
            values = np.frombuffer(content, stored.newbyteorder("<"), count, start).astype(TYPES[kind])
            weights[weight["name"]] = torch.from_numpy(values.reshape(shape))
            start += count * stored.itemsize
        if start != len(content):
            raise ValueError(f"{' + '.join(group['paths'])} has {len(content)} bytes, the graph describes {start}")
    return weights


def in_order(nodes: Mapping[str, Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes that the outputs need, each after what it reads."""
    order: dict[str, Node] = {}
    waiting, open_nodes = list(reversed(outputs)), set()
    while waiting:
        name = waiting[-1]
        if name in order:
            waiting.pop()
            continue
        if name not in nodes:
            raise ValueError(f"the graph has no node {name!r}")
        missing = [other for other in nodes[name].inputs if other not in order]
        if not missing:
            order.setdefault(name, nodes[name])
            open_nodes.discard(waiting.pop())
        elif name in open_nodes:
            raise ValueError(f"the graph turns in a circle at {name!r}")
        else:
            open_nodes.add(name)
            waiting += missing
    return list(order.values())


class GraphModel(nn.Module):
    """A tfjs graph model with one input, frozen: its weights are buffers.

    Images go in as :math:`(N, H, W, C)`. An operator that is not supported, a damaged file or one whose weights do not
    have the size that the graph describes is refused with a ValueError of one line; nothing of a file is executed.

    Arguments:
        file: The JSON graph; its weights lie beside it.
        outputs: Names of the nodes whose values are wanted; the rest of the graph is not computed.
    """

    def __init__(self, file: str | Path, outputs: Sequence[str]) -> None:
        super().__init__()
        file, self.outputs = Path(file), list(outputs)
        try:
            if plain_file(file, "a graph").stat().st_size > LARGEST_GRAPH:
                raise ValueError(f"it has more than {LARGEST_GRAPH} bytes")
            graph = json.loads(file.read_bytes())
            order = in_order(read_nodes(graph), self.outputs)
            weights = read_weights(graph, file.parent)
            self.build(order, weights)
            with torch.no_grad(), Counted():
                self(torch.zeros(1, *self.input_shape(graph)))
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            RuntimeError,
            ArithmeticError,
            MemoryError,
        ) as error:
            raise ValueError(f"{file} is not a tfjs graph model that can be run ({reason(error)})") from None

    def build(self, order: Sequence[Node], weights: Mapping[str, Tensor]) -> None:
        self.integers: dict[str, Tensor] = {}  # shapes, axes and paddings stay on the CPU, where they are read
        self.floats: dict[str, str] = {}
        placeholders = [node.name for node in order if node.op == "Placeholder"]
        if len(placeholders) != 1:
            raise ValueError(f"it must have one input, got {placeholders}")
        self.input = placeholders[0]
        for node in order:
            if node.op == "Const":
                value = weights[node.name]
                if value.is_floating_point():
                    self.floats[node.name] = f"weight{len(self.floats)}"
                    self.register_buffer(self.floats[node.name], value, persistent=False)
                else:
                    self.integers[node.name] = value
        self.nodes = [node for node in order if node.op not in ("Const", "Placeholder")]
        for node in self.nodes:
            wrong = unsupported(node.op, node.attr)
            if wrong:
                raise ValueError(f"{wrong} of the node {node.name!r} is not supported")
        last = {name: index for index, node in enumerate(self.nodes) for name in node.inputs}
        self.spent = [
            [name for name in set(node.inputs) if last[name] == i and name not in self.outputs]
            for i, node in enumerate(self.nodes)
        ]

    def input_shape(self, graph: Mapping) -> list[int]:
        node = next(node for node in graph["modelTopology"]["node"] if node["name"] == self.input)
        shape = [int(dim["size"]) for dim in node["attr"]["shape"]["shape"]["dim"][1:]]
        if len(shape) != 3 or min(shape) < 1 or max(shape) > 4096 or math.prod(shape) > 2**24:
            raise ValueError(f"its input must be an image (N, H, W, C), got (N, {', '.join(map(str, shape[:5]))[:80]})")
        return shape

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images :math:`(N, H, W, C)`, in the scale that the model expects, to its outputs, in the order asked for."""
        values = {
            self.input: images,
            **self.integers,
            **{name: getattr(self, buffer) for name, buffer in self.floats.items()},
        }
        for node, spent in zip(self.nodes, self.spent):
            values[node.name] = OPERATORS[node.op](node.attr, *(values[name] for name in node.inputs))
            for name in spent:  # a batch's activations of a whole network are large
                del values[name]
        return [values[name] for name in self.outputs]
