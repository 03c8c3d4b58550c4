"""tfjs graph models (a JSON graph beside a .bin of weights) as frozen PyTorch modules, differentiable down to the
pixels."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from latent_lab.checkpoints.bounded import Counted
from latent_lab.checkpoints.limits import plain_file, quote, reason
from latent_lab.graphs.tfjs_operators import OPERATORS, find_unsupported

LARGEST_GRAPH = 32 * 2**20  # bytes of JSON; published graphs have less than one MiB
NODES, DIMENSIONS = 20_000, 8  # of a graph and of a weight; published graphs have some hundred nodes
TYPES = {"float32": np.float32, "int32": np.int32}
STORED = {"float16": np.float16}  # quantised weights


class Node(NamedTuple):
    """An operation of a graph.

    Arguments:
        name: Its name.
        op: Its operator, such as ``Conv2D``.
        inputs: Names of the operations that it reads, in order.
        attr: Its decoded attributes.
    """

    name: str
    op: str
    inputs: list[str]
    attr: dict[str, Any]


def decode_attribute(value: Mapping[str, Any]) -> object:
    """Decode an attribute of a node: an integer, number, boolean, text or a list of them; None for types and shapes.

    Example:
        >>> decode_attribute({"list": {"i": ["1", "2"]}}), decode_attribute({"s": "U0FNRQ=="})
        ([1, 2], 'SAME')
    """
    if "list" in value:
        ((kind, items),) = value["list"].items() or [("i", [])]
        return [decode_attribute({kind: item}) for item in items]
    if "s" in value:
        return base64.b64decode(value["s"], validate=True).decode()
    if "i" in value:
        return int(value["i"])
    return value["b"] if "b" in value else value.get("f")


def read_nodes(graph: Mapping[str, Any]) -> dict[str, Node]:
    """Read the nodes of a graph by their names; there are at most 20,000."""
    nodes = {}
    if len(graph["modelTopology"]["node"]) > NODES:
        raise ValueError(f"the graph has more than {NODES} nodes")
    for node in graph["modelTopology"]["node"]:
        if not isinstance(node["name"], str):
            raise ValueError(f"the name of a node must be a text, got {quote(node['name'])}")
        inputs = [name.removesuffix(":0") for name in node.get("input", []) if not name.startswith("^")]
        attr = {key: decode_attribute(value) for key, value in node.get("attr", {}).items() if key != "value"}
        nodes[node["name"]] = Node(node["name"], node["op"], inputs, attr)
    return nodes


def read_weights(graph: Mapping[str, Any], folder: Path) -> dict[str, Tensor]:
    """Read the weights of all groups by their names.

    Arguments:
        graph: The JSON graph.
        folder: Folder of the graph, in which the files of weights lie.

    Raises:
        ValueError: if the sizes are not exactly those of the files, or a type is not supported.
    """
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
                raise ValueError(f"the name of a weight must be a text, got {quote(weight['name'])}")
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
                    f"the weight {quote(weight['name'])} must have at most {DIMENSIONS} sizes from 0 to 2^31"
                )
            if min(shape, default=0) < 0 or start + count * stored.itemsize > len(content):
                raise ValueError(f"{' + '.join(group['paths'])} ends before the weight {weight['name']}")
            values = np.frombuffer(content, stored.newbyteorder("<"), count, start).astype(TYPES[kind])
            weights[weight["name"]] = torch.from_numpy(values.reshape(shape))
            start += count * stored.itemsize
        if start != len(content):
            raise ValueError(f"{' + '.join(group['paths'])} has {len(content)} bytes, the graph describes {start}")
    return weights


def sort_nodes(nodes: Mapping[str, Node], outputs: Sequence[str]) -> list[Node]:
    """Return the nodes that some outputs need, each after those that it reads.

    Raises:
        ValueError: if a node is missing, or the graph has a cycle.

    Example:
        >>> nodes = {"a": Node("a", "Relu", [], {}), "b": Node("b", "Relu", ["a"], {}), "c": Node("c", "Relu", [], {})}
        >>> [node.name for node in sort_nodes(nodes, ["b"])]
        ['a', 'b']
    """
    order: dict[str, Node] = {}
    waiting = list(reversed(outputs))
    open_nodes: set[str] = set()
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

    Nothing of a file is executed.

    Arguments:
        file: The JSON graph; its weights lie beside it.
        outputs: Names of the nodes whose values are returned; the rest of the graph is not computed.

    Raises:
        ValueError: if an operator is not supported, the file is damaged, or its weights do not have the sizes that the
            graph describes.
    """

    def __init__(self, file: str | Path, outputs: Sequence[str]) -> None:
        super().__init__()
        file, self.outputs = Path(file), list(outputs)
        try:
            if plain_file(file, "a graph").stat().st_size > LARGEST_GRAPH:
                raise ValueError(f"it has more than {LARGEST_GRAPH} bytes")
            graph = json.loads(file.read_bytes())
            order = sort_nodes(read_nodes(graph), self.outputs)
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
        """Take over the nodes and their weights.

        Arguments:
            order: The nodes, each after those that it reads.
            weights: The weights by name.
        """
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
            wrong = find_unsupported(node.op, node.attr)
            if wrong:
                raise ValueError(f"{wrong} of the node {node.name!r} is not supported")
        last = {name: index for index, node in enumerate(self.nodes) for name in node.inputs}
        self.spent = [
            [name for name in set(node.inputs) if last[name] == i and name not in self.outputs]
            for i, node in enumerate(self.nodes)
        ]

    def input_shape(self, graph: Mapping[str, Any]) -> list[int]:
        """Return the shape :math:`(H, W, C)` of the input, which must be an image."""
        node = next(node for node in graph["modelTopology"]["node"] if node["name"] == self.input)
        shape = [int(dim["size"]) for dim in node["attr"]["shape"]["shape"]["dim"][1:]]
        if len(shape) != 3 or min(shape) < 1 or max(shape) > 4096 or math.prod(shape) > 2**24:
            raise ValueError(f"its input must be an image (N, H, W, C), got (N, {', '.join(map(str, shape[:5]))[:80]})")
        return shape

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map images :math:`(N, H, W, C)`, in the scale that the model expects, to the outputs, in the order asked
        for."""
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
