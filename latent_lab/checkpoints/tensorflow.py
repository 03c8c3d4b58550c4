"""What NVIDIA's TensorFlow repositories pickle: three networks, the averaged generator last."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from latent_lab.checkpoints.stand_ins import Record


def averaged_network(tree) -> Record | None:
    """The averaged generator of a pickle; None if the tree is no such pickle."""
    if isinstance(tree, tuple) and len(tree) == 3 and isinstance(tree[2], Record) and tree[2].kind == "Network":
        return tree[2]
    return None


def table(named: Iterable[tuple[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """A network's variables by their names."""
    pairs = list(named or ())
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs):
        raise ValueError("variables must be pairs of a name and an array")
    return dict(pairs)


def variables(named: Iterable[tuple[str, np.ndarray]], prefix: str = "") -> dict[str, Tensor]:
    """A network's variables as tensors."""
    return {f"{prefix}{name}": torch.tensor(np.ascontiguousarray(value)) for name, value in table(named).items()}
