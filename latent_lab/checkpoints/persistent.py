"""NVIDIA's pickled modules as plain tensors: the class's source that such a file carries is never looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from latent_lab.checkpoints.stand_ins import Record
from latent_lab.checkpoints.trees import tensors_at, values_at


def read_state(tree: object) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the averaged generator's state dict and its arguments.

    A plain state dict has no arguments. Both are empty if the tree is neither a pickled module nor such a state dict.
    """
    module = find_module(tree)
    if module is not None:
        return collect_tensors(module), read_options(module)
    return (tensors_at(tree) if "mapping.w_avg" in values_at(tree) else {}), {}


def find_module(tree: object) -> Mapping[str, Any] | None:
    """Return the averaged generator's description in one of NVIDIA's pickles, or that of a module that was saved alone;
    None if the tree is neither."""
    if isinstance(tree, dict):
        tree = tree.get("G_ema")
    if isinstance(tree, Record) and tree.kind == "persistent" and tree.arguments:
        module = tree.arguments[0]
        return module if isinstance(module, dict) else None
    return None


def collect_tensors(module: Mapping[str, Any], prefix: str = "") -> dict[str, Tensor]:
    """Return the state dict of a module from its pickled state, with a prefix before the names."""
    state = module["state"]
    hidden = {name for name in state.get("_non_persistent_buffers_set") or () if isinstance(name, str)}
    own = {**state["_parameters"], **{name: value for name, value in state["_buffers"].items() if name not in hidden}}
    found = {prefix + name: value for name, value in own.items() if isinstance(value, Tensor)}
    for name, child in state["_modules"].items():
        if isinstance(child, Record) and child.arguments:
            found |= collect_tensors(child.arguments[0], f"{prefix}{name}.")
    return found


def read_options(module: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that the module was made with; some repositories nest those of the synthesis, others do
    not."""
    arguments = module["state"]["_init_kwargs"]
    return {**arguments, **arguments.get("synthesis_kwargs", {})}


def read_mapping(own: dict[str, Tensor]) -> tuple[list[tuple[Tensor, Tensor]], Tensor, tuple[Tensor, Tensor] | None]:
    """Return weight and bias of the mapping's layers, the mean style, and weight and bias of the embedding of classes,
    which is None without classes."""
    count = sum(key.startswith("mapping.fc") and key.endswith(".weight") for key in own)
    layers = [(own[f"mapping.fc{i}.weight"], own[f"mapping.fc{i}.bias"]) for i in range(count)]
    embed = (own["mapping.embed.weight"], own["mapping.embed.bias"]) if "mapping.embed.weight" in own else None
    return layers, own["mapping.w_avg"], embed
