"""Pickles of NVIDIA's TensorFlow repositories: three networks, the averaged generator last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latent_lab.checkpoints.stand_ins import Record


def read_state(tree: object) -> dict[str, Any]:
    """Return the pickled state of the averaged generator; empty if the tree is no such pickle."""
    if isinstance(tree, tuple) and len(tree) == 3 and isinstance(tree[2], Record) and tree[2].kind == "Network":
        return dict(tree[2].state)
    return {}


def name_variables(named: Iterable[tuple[str, np.ndarray]] | None) -> dict[str, np.ndarray]:
    """Return a network's variables by their names; none for None."""
    pairs = list(named or ())
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs):
        raise ValueError("variables must be pairs of a name and an array")
    return dict(pairs)


def read_variables(named: Iterable[tuple[str, np.ndarray]], prefix: str = "") -> dict[str, Tensor]:
    """Return a network's variables as tensors, with a prefix before their names."""
    return {
        f"{prefix}{name}": torch.tensor(np.ascontiguousarray(value)) for name, value in name_variables(named).items()
    }
