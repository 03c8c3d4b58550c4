"""OpenVINO's intermediate representation, a graph in XML beside its numbers, as plain data. Nothing in it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import torch
from torch import Tensor

KINDS = {"f32": torch.float32, "f16": torch.float16, "i64": torch.int64, "i32": torch.int32}


class Node(NamedTuple):
    """An operation.

    Arguments:
        kind: Its type: ``MatMul``, ``Convolution``; of a constant ``Const``.
        name: Its name.
        inputs: The numbers of the operations that it reads, in order.
        value: A constant's tensor.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    value: Tensor | None


def read_graph(file: str | Path) -> dict[str, Node]:
    """The operations by their number, in the order of the file; constants come from the ``.bin`` beside it."""
    file = Path(file)
    text, numbers = file.read_bytes(), file.with_suffix(".bin")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise ValueError("its XML declares entities, which no network needs")
    if not numbers.is_file():
        raise ValueError(f"{numbers.name} must lie beside it")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"its XML is damaged ({error})") from None
    content = bytearray(numbers.read_bytes())
    inputs: dict[str, dict[int, str]] = {}
    for edge in root.iterfind("edges/edge"):
        inputs.setdefault(edge.get("to-layer", ""), {})[int(edge.get("to-port", 0))] = edge.get("from-layer", "")
    nodes = {}
    for layer in root.iterfind("layers/layer"):
        number, kind, data = layer.get("id", ""), layer.get("type", ""), layer.find("data")
        value = constant(content, data.attrib) if kind == "Const" and data is not None else None
        nodes[number] = Node(kind, layer.get("name", ""), tuple(at for _, at in sorted(inputs.get(number, {}).items())), value)
    return nodes


def constant(content: bytearray, data: Mapping[str, str]) -> Tensor:
    """The numbers that ``data`` (type, shape, place and size in bytes) describes."""
    kind, shape = data.get("element_type"), [int(part) for part in data.get("shape", "").split(",") if part.strip()]
    offset, size = int(data.get("offset", -1)), int(data.get("size", -1))
    if kind not in KINDS or min([0, *shape]) < 0 or size != prod(shape) * KINDS[kind].itemsize or not 0 <= offset <= len(content) - size:
        raise ValueError(f"a constant of {kind} {shape} at byte {offset} does not fit its numbers")
    return torch.frombuffer(content, dtype=KINDS[kind], count=prod(shape), offset=offset).reshape(shape).clone()
