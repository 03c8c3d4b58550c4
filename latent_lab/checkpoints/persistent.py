"""NVIDIA's pickled modules as plain tensors: the class's source that such a file carries is never looked at."""

from __future__ import annotations

from torch import Tensor

from latent_lab.checkpoints.unpickling import Record


def module_of(tree) -> dict | None:
    """The averaged generator's description in a pickle of NVIDIA's, or a whole module that was saved alone; None if it is neither."""
    if isinstance(tree, dict):
        tree = tree.get("G_ema")
    if isinstance(tree, Record) and tree.kind == "persistent" and tree.arguments and isinstance(tree.arguments[0], dict):
        return tree.arguments[0]
    return None


def tensors_of(module: dict, prefix: str = "") -> dict[str, Tensor]:
    """The state dict of a module from its pickled state."""
    state = module["state"]
    hidden = set(state.get("_non_persistent_buffers_set") or ())
    own = {**state["_parameters"], **{name: value for name, value in state["_buffers"].items() if name not in hidden}}
    found = {prefix + name: value for name, value in own.items() if isinstance(value, Tensor)}
    for name, child in state["_modules"].items():
        if isinstance(child, Record) and child.arguments:
            found |= tensors_of(child.arguments[0], f"{prefix}{name}.")
    return found
