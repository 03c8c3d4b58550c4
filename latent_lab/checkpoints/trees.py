"""From stand-ins to data: what was unpickled as dicts, lists, tensors and arrays."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from latent_lab.checkpoints.stand_ins import Array, Record, View, require_key

DEPTH = 100  # of nested containers; real files stay below 30
NODES, SIZE = 2**20, 2**26  # what a small file may be as a tree, and the bytes of its texts and numbers
TIMES = 8  # ... and a large one, per byte


class Part(NamedTuple):
    """A value, and what it costs to walk: ``nodes`` in it and ``size`` of their content in bytes, each as often as it is reached."""

    value: object
    nodes: int
    size: int
    depth: int


def plain(tree: object, size: int) -> object:
    """Stand-ins become dicts, lists, tensors and arrays; objects become ``(kind, arguments, state)`` records of plain parts.

    A pickle can hold a value once and name it often. Whoever walks or copies the result sees it as often as it is named, so that is
    what is counted.

    Arguments:
        tree: What was unpickled.
        size: Bytes of the file.

    Raises:
        ValueError: It nests too deep, contains itself, or is many times larger than the file once it is walked.
    """
    done: dict[int, Part] = {}
    whole: dict[int, Tensor] = {}
    open_nodes: set[int] = set()
    nodes_allowed, size_allowed = TIMES * size + NODES, TIMES * size + SIZE

    def joined(make: object, parts: list[Part]) -> Part:
        made = Part(make, 1 + sum(p.nodes for p in parts), sum(p.size for p in parts), 1 + max((p.depth for p in parts), default=0))
        if made.nodes > nodes_allowed or made.size > size_allowed:
            raise ValueError("it names the same values so often that they would be many times its size")
        if made.depth > DEPTH:
            raise ValueError(f"it nests deeper than {DEPTH}")
        return made

    def walk(node: object, depth: int) -> Part:
        if node is None or isinstance(node, int | float | complex):
            return Part(node, 1, 0, 0)
        if isinstance(node, str | bytes | bytearray):
            return Part(node, 1, len(node), 0)
        if id(node) in done:
            return done[id(node)]
        if depth > DEPTH:
            raise ValueError(f"it nests deeper than {DEPTH}")
        if id(node) in open_nodes:
            raise ValueError("it contains itself")
        open_nodes.add(id(node))
        done[id(node)] = made = walked(node, depth + 1)
        open_nodes.discard(id(node))
        return made

    def walked(node: object, depth: int) -> Part:
        if isinstance(node, dict):
            parts = {require_key(key): walk(value, depth) for key, value in node.items()}
            return joined({key: part.value for key, part in parts.items()}, list(parts.values()))
        if isinstance(node, list | set | frozenset | tuple):
            parts = [walk(value, depth) for value in node]
            return joined((tuple if isinstance(node, tuple) else list)(part.value for part in parts), parts)
        if isinstance(node, View):
            if id(node.storage) not in whole:
                whole[id(node.storage)] = node.storage.tensor()
            tensor = node.tensor(whole[id(node.storage)])
            return Part(tensor, 1, tensor.numel() * tensor.dtype.itemsize, 0)
        if isinstance(node, Array):
            return Part(node.value, 1, node.value.nbytes, 0)
        if isinstance(node, Record):
            arguments, state = walk(node.arguments, depth), walk(node.state, depth)
            made = type(node)()
            made.arguments, made.state = arguments.value, state.value
            return joined(made, [arguments, state])
        return Part(None, 1, 0, 0)  # storages and types on their own carry nothing

    return walk(tree, 0).value
