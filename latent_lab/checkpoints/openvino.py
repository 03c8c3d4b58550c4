"""OpenVINO's intermediate representation, a graph in XML beside its numbers, as plain data. Nothing in it is
executed."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import torch
from torch import Tensor

from latent_lab.checkpoints.limits import plain_file, quote

# of the XML: bytes and elements, their nesting, a constant's shape
LARGEST, ELEMENTS, DEPTH, DIMENSIONS = 2**24, 200_000, 16, 8
INPUTS, TIMES = 64, 4  # what an operation reads, and how often constants may read the numbers
KINDS = {"f32": torch.float32, "f16": torch.float16, "i64": torch.int64, "i32": torch.int32}


class Node(NamedTuple):
    """An operation of a graph.

    Arguments:
        kind: Its type, such as ``MatMul`` or ``Convolution``; ``Const`` for a constant.
        name: Its name.
        inputs: The numbers of the operations that it reads, in order.
        value: The tensor of a constant; None for other operations.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    value: Tensor | None


class Bounded(ElementTree.TreeBuilder):
    """Builder of a tree with few elements, of little depth, and without entities."""

    def __init__(self) -> None:
        super().__init__()
        self.count = self.depth = 0

    def start(self, tag: str, attributes: dict[str, str], /) -> ElementTree.Element:
        """Open an element; there are at most 200,000, at most 16 deep."""
        self.count, self.depth = self.count + 1, self.depth + 1
        if self.count > ELEMENTS or self.depth > DEPTH:
            raise ValueError(f"its XML has more than {ELEMENTS} elements, or nests deeper than {DEPTH}")
        return super().start(tag, attributes)

    def end(self, tag: str, /) -> ElementTree.Element:
        """Close an element."""
        self.depth -= 1
        return super().end(tag)

    def doctype(self, *declared: object) -> None:
        """Refuse a declaration of entities, by which a small file stands for a large one."""
        raise ValueError("its XML declares entities, which no network needs")


def read_graph(file: str | Path) -> dict[str, Node]:
    """Read the operations of a graph by their numbers, in the order of the file; constants come from the ``.bin``
    beside it.

    Raises:
        ValueError: if the file is damaged, or larger than a network needs.
    """
    file = plain_file(file, "a graph")
    if file.stat().st_size > LARGEST:
        raise ValueError(f"its XML has more than {LARGEST} bytes")
    text, numbers = file.read_bytes(), file.with_suffix(".bin")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise ValueError("its XML declares entities, which no network needs")
    if not numbers.is_file():
        raise ValueError(f"{numbers.name} must lie beside it")
    try:
        # in another one a declaration is not seen above
        parser = ElementTree.XMLParser(target=Bounded(), encoding="utf-8")
        parser.feed(text)
        root = parser.close()
    except ElementTree.ParseError as error:
        raise ValueError(f"its XML is damaged ({error})") from None
    content = bytearray(numbers.read_bytes())
    inputs: dict[str, dict[int, str]] = {}
    for edge in root.iterfind("edges/edge"):
        read = inputs.setdefault(edge.get("to-layer", ""), {})
        read[parse_whole(edge.get("to-port", "0"))] = edge.get("from-layer", "")
        if len(read) > INPUTS:
            raise ValueError(f"its layer {quote(edge.get('to-layer'))} reads more than {INPUTS} others")
    nodes: dict[str, Node] = {}
    left = TIMES * len(content) + 2**16
    for layer in root.iterfind("layers/layer"):
        number, kind, data = layer.get("id", ""), layer.get("type", ""), layer.find("data")
        if number in nodes:
            raise ValueError(f"it has two layers with the id {quote(number)}")
        value = read_constant(content, data.attrib) if kind == "Const" and data is not None else None
        left -= value.numel() * value.dtype.itemsize if value is not None else 0
        if left < 0:
            raise ValueError(f"its constants read the same numbers more than {TIMES} times")
        nodes[number] = Node(
            kind, layer.get("name", ""), tuple(at for _, at in sorted(inputs.get(number, {}).items())), value
        )
    return nodes


def parse_whole(text: str) -> int:
    """Parse a whole number of at most 18 digits."""
    if len(text) > 18:
        raise ValueError(f"a number of its XML has {len(text)} digits")
    return int(text)


def read_constant(content: bytearray, data: Mapping[str, str]) -> Tensor:
    """Return the tensor of a constant.

    Arguments:
        content: All numbers of the graph.
        data: Type, shape, and place and size in bytes, as the XML has them.

    Raises:
        ValueError: if it does not lie in the content.
    """
    kind = data.get("element_type", "")
    shape = [parse_whole(part) for part in data.get("shape", "").split(",", DIMENSIONS + 1) if part.strip()]
    offset, size = parse_whole(data.get("offset", "-1")), parse_whole(data.get("size", "-1"))
    fits = (
        kind in KINDS
        and len(shape) <= DIMENSIONS
        and min([0, *shape]) >= 0
        and size == prod(shape) * KINDS[kind].itemsize
    )
    if not fits or not 0 <= offset <= len(content) - size or (not size and max(shape) > 2**16):
        raise ValueError(f"a constant of {quote(kind)} {shape[:DIMENSIONS]} at byte {offset} does not fit its numbers")
    if not size:
        return torch.empty(shape, dtype=KINDS[kind])
    return torch.frombuffer(content, dtype=KINDS[kind], count=prod(shape), offset=offset).reshape(shape).clone()
