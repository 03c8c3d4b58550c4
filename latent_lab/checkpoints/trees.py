"""From stand-ins to data: the content of a pickle as dicts, lists, tensors and arrays."""

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


def tensors_at(tree: object, *path: str) -> dict[str, Tensor]:
    """Return the tensors of a dictionary by their names; none where there is no dictionary.

    Arguments:
        tree: A file's content, as :func:`to_plain` returns it.
        path: Keys that lead from the tree to the dictionary.

    Example:
        >>> import torch
        >>> tensors_at({"g_ema": {"bias": torch.zeros(2), "step": 3}}, "g_ema")
        {'bias': tensor([0., 0.])}
    """
    return {name: value for name, value in values_at(tree, *path).items() if isinstance(value, Tensor)}


def values_at(tree: object, *path: str) -> dict[str, object]:
    """Return the dictionary at a path, an empty one where there is none; see :func:`tensors_at`."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}


def to_plain(tree: object, size: int) -> object:
    """Turn stand-ins into dicts, lists, tensors and arrays, and objects into records of plain parts.

    A pickle can hold a value once and name it often. Whoever walks or copies the result sees it as often as it is
    named, so that is what is counted.

    Arguments:
        tree: The content of a pickle, as :func:`latent_lab.checkpoints.unpickling.unpickle` returns it.
        size: Bytes of the file.

    Raises:
        ValueError: if it nests too deep, contains itself, or is many times larger than the file once it is walked.
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
            known = done[key]
            if known is None:
                raise ValueError("it contains itself")
            return known
        if level > DEPTH:
            raise ValueError(f"it nests deeper than {DEPTH}")
        done[key] = None
        done[key] = made = enter(node, level + 1)
        return made

    def walk_all(values: Iterable[object], level: int) -> tuple[list[object], int, int, int]:
        found: list[object] = []
        nodes, held, depth = 1, 0, 0
        for value in values:
            part, more, bytes_more, below = walk(value, level)
            found.append(part)
            nodes, held, depth = nodes + more, held + bytes_more, below if below > depth else depth
        if nodes > nodes_allowed or held > size_allowed:
            raise ValueError("it names the same values so often that they would be many times its size")
        if depth >= DEPTH:
            raise ValueError(f"it nests deeper than {DEPTH}")
        return found, nodes, held, depth + 1

    def enter(node: object, level: int) -> Part:
        if isinstance(node, dict):
            found, nodes, held, depth = walk_all(node.values(), level)
            return dict(zip(map(require_key, node), found)), nodes, held, depth
        if isinstance(node, CONTAINERS):
            found, nodes, held, depth = walk_all(node, level)
            return tuple(found) if isinstance(node, tuple) else found, nodes, held, depth
        if isinstance(node, View):
            if id(node.storage) not in whole:
                whole[id(node.storage)] = node.storage.tensor()
            tensor = node.tensor(whole[id(node.storage)])
            return tensor, 1, tensor.numel() * tensor.dtype.itemsize, 0
        if isinstance(node, Array):
            return node.value, 1, node.value.nbytes, 0
        if isinstance(node, Record):
            (arguments, state), nodes, held, depth = walk_all((node.arguments, node.state), level)
            return type(node).restore(arguments, state), nodes, held, depth
        return None, 1, 0, 0  # storages and types on their own carry nothing

    return walk(tree, 0)[0]
