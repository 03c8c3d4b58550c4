"""From stand-ins to data: what was unpickled as dicts, lists, tensors and arrays."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from latent_lab.checkpoints.stand_ins import Array, Record, View, require_key

DEPTH = 100  # of nested containers; real files stay below 30
NODES, SIZE = 2**20, 2**26  # what a small file may be as a tree, and the bytes of its texts and numbers
TIMES = 8  # ... and a large one, per byte
ATOMS, TEXTS, CONTAINERS = (int, float, complex), (str, bytes, bytearray), (list, tuple, set, frozenset)


# a value; nodes in it, and the bytes of their content, each as often as it is reached; its nesting
Part = tuple[object, int, int, int]


def plain(tree: object, size: int) -> object:
    """Stand-ins become dicts, lists, tensors and arrays; objects become ``(kind, arguments, state)`` records of plain
    parts.

    A pickle can hold a value once and name it often. Whoever walks or copies the result sees it as often as it is
    named, so that is what is counted.

    Arguments:
        tree: What was unpickled.
        size: Bytes of the file.

    Raises:
        ValueError: It nests too deep, contains itself, or is many times larger than the file once it is walked.
    """
    done: dict[int, Part | None] = {}  # None while a value is being walked
    whole: dict[int, Tensor] = {}
    nodes_allowed, size_allowed = TIMES * size + NODES, TIMES * size + SIZE

    def walk(node: object, level: int) -> Part:
        if node is None or isinstance(node, ATOMS):
            return node, 1, 0, 0
        if isinstance(node, TEXTS):
            return node, 1, len(node), 0
        key = id(node)
        if key in done:
            if done[key] is None:
                raise ValueError("it contains itself")
            return done[key]
        if level > DEPTH:
            raise ValueError(f"it nests deeper than {DEPTH}")
        done[key] = None
        done[key] = made = walked(node, level + 1)
        return made

    def all_of(values: Iterable, level: int) -> tuple[list, int, int, int]:
        found, nodes, held, depth = [], 1, 0, 0
        for value in values:
            part, more, bytes_more, below = walk(value, level)
            found.append(part)
            nodes, held, depth = nodes + more, held + bytes_more, below if below > depth else depth
        if nodes > nodes_allowed or held > size_allowed:
            raise ValueError("it names the same values so often that they would be many times its size")
        if depth >= DEPTH:
            raise ValueError(f"it nests deeper than {DEPTH}")
        return found, nodes, held, depth + 1

    def walked(node: object, level: int) -> Part:
        if isinstance(node, dict):
            found, *cost = all_of(node.values(), level)
            return dict(zip(map(require_key, node), found)), *cost
        if isinstance(node, CONTAINERS):
            found, *cost = all_of(node, level)
            return tuple(found) if isinstance(node, tuple) else found, *cost
        if isinstance(node, View):
            if id(node.storage) not in whole:
                whole[id(node.storage)] = node.storage.tensor()
            tensor = node.tensor(whole[id(node.storage)])
            return tensor, 1, tensor.numel() * tensor.dtype.itemsize, 0
        if isinstance(node, Array):
            return node.value, 1, node.value.nbytes, 0
        if isinstance(node, Record):
            found, *cost = all_of((node.arguments, node.state), level)
            made = type(node)()
            made.arguments, made.state = found
            return made, *cost
        return None, 1, 0, 0  # storages and types on their own carry nothing

    return walk(tree, 0)[0]
