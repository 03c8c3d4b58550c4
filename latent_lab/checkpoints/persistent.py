"""NVIDIA's pickled modules as plain tensors: the class's source that such a file carries is never looked at."""

from __future__ import annotations

from torch import Tensor

from latent_lab.checkpoints.stand_ins import Record


def state_of(tree) -> tuple[dict[str, Tensor], dict] | None:
    """The averaged generator's state dict and arguments; a plain state dict has no arguments. None if the tree is
    neither."""
    module = module_of(tree)
    if module is not None:
        return tensors_of(module), options_of(module)
    if isinstance(tree, dict) and "mapping.w_avg" in tree:
        return {name: value for name, value in tree.items() if isinstance(value, Tensor)}, {}
    return None


def module_of(tree) -> dict | None:
    """The averaged generator's description in a pickle of NVIDIA's, or a whole module that was saved alone; None if it
    is neither."""
    if isinstance(tree, dict):
        tree = tree.get("G_ema")
    if (
        isinstance(tree, Record)
        and tree.kind == "persistent"
        and tree.arguments
        and isinstance(tree.arguments[0], dict)
    ):
        return tree.arguments[0]
    return None


def tensors_of(module: dict, prefix: str = "") -> dict[str, Tensor]:
    """The state dict of a module from its pickled state."""
    state = module["state"]
    hidden = {name for name in state.get("_non_persistent_buffers_set") or () if isinstance(name, str)}
    own = {**state["_parameters"], **{name: value for name, value in state["_buffers"].items() if name not in hidden}}
    found = {prefix + name: value for name, value in own.items() if isinstance(value, Tensor)}
    for name, child in state["_modules"].items():
        if isinstance(child, Record) and child.arguments:
            found |= tensors_of(child.arguments[0], f"{prefix}{name}.")
    return found


def options_of(module: dict) -> dict:
    """The arguments that the module was made with; older and newer repositories nest the synthesis's differently."""
    arguments = module["state"]["_init_kwargs"]
    return {**arguments, **arguments.get("synthesis_kwargs", {})}


def mapping_of(own: dict[str, Tensor]) -> tuple[list[tuple[Tensor, Tensor]], Tensor, tuple[Tensor, Tensor] | None]:
    """The mapping's layers, the mean style, and the embedding of classes, if there is one."""
    count = sum(key.startswith("mapping.fc") and key.endswith(".weight") for key in own)
    layers = [(own[f"mapping.fc{i}.weight"], own[f"mapping.fc{i}.bias"]) for i in range(count)]
    embed = (own["mapping.embed.weight"], own["mapping.embed.bias"]) if "mapping.embed.weight" in own else None
    return layers, own["mapping.w_avg"], embed
