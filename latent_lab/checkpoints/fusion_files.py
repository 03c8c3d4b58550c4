"""StyleFusion's networks: the published state dicts, bare or under ``state_dict``, and latent_lab's own files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from latent_lab.checkpoints import native
from latent_lab.checkpoints.container import open_tree
from latent_lab.checkpoints.limits import plain_file, quote

CLASS = "FusionNet"
PARTS = {"segments": "blender_segments", "common": "blender_common"}
DEPTH = 5


def read_fusion(file: str | Path) -> tuple[dict[str, int], dict[str, Tensor]]:
    """Read the sizes and the tensors of a fusion network. Nothing in the file is executed.

    The published layers multiply their weights by :math:`0.01 / \\sqrt{\\text{inputs}}` and their biases by 0.01; the
    gains are part of the weights here.
    """
    file = Path(file).expanduser()
    if not file.exists():
        raise FileNotFoundError(
            f"hierarchy.weights must name files of fusion networks, got {str(file)!r}, which does not exist"
        )
    if native.matches(plain_file(file, "hierarchy.weights")):
        tensors, metadata = native.read(file)
        if metadata.get("class") != CLASS:
            raise ValueError(f"{file} must hold a {CLASS}, got {quote(metadata.get('class'))}")
        config: dict[str, int] = metadata["config"]
        return config, tensors
    tree = open_tree(file)
    state = tree.get("state_dict", tree) if isinstance(tree, dict) else None
    names = {
        f"{part}.disentangle_net.{i}.{kind}"
        for part in PARTS.values()
        for i in range(DEPTH)
        for kind in ("weight", "bias")
    }
    if (
        not isinstance(state, dict)
        or state.keys() != names
        or not all(isinstance(value, Tensor) for value in state.values())
    ):
        raise ValueError(
            f"{file} must hold StyleFusion's two blenders of {DEPTH} layers each, as published or by latent_lab"
        )
    wrong = [
        name
        for name, value in state.items()
        if value.ndim != (2 if name.endswith("weight") else 1) or not value.numel()
    ]
    if wrong:
        raise ValueError(
            f"{file} must hold matrices and vectors, got {wrong[0]} of the shape "
            f"{str(tuple(state[wrong[0]].shape))[:60]}"
        )
    tensors = {}
    for ours, theirs in PARTS.items():
        for i in range(DEPTH):
            weight, bias = (state[f"{theirs}.disentangle_net.{i}.{kind}"] for kind in ("weight", "bias"))
            tensors |= {
                f"{ours}.layers.{i}.weight": weight * (0.01 / math.sqrt(weight.shape[1])),
                f"{ours}.layers.{i}.bias": bias * 0.01,
            }
    hidden, inputs = tensors["common.layers.0.weight"].shape
    width = len(tensors["common.layers.4.bias"])
    return {"width": width, "hidden": hidden, "layers": (inputs - 2 * width) // 10 - 1}, tensors


def fusion_bytes(config: Mapping[str, int], tensors: Mapping[str, Tensor]) -> bytes:
    """Return the content of latent_lab's own file."""
    return native.to_bytes(tensors, {"class": CLASS, "config": dict(config)})
