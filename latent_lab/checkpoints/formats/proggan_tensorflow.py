"""ProgGAN of the official TensorFlow repository: a pickle of three networks, their variables as arrays, gains applied
at run time."""

from __future__ import annotations

import math

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.limits import parse_number
from latent_lab.checkpoints.proggan_layers import Layer, convert_proggan
from latent_lab.checkpoints.tensorflow import name_variables, read_state, read_variables


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    named = read_state(tree).get("variables")
    return {"4x4/Dense/weight", "4x4/Conv/weight"} <= name_variables(named).keys()


def convert(tree: object) -> Description:
    """Convert the official TensorFlow ProgGAN to the layout of latent_lab."""
    state = read_state(tree)
    if state["static_kwargs"].get("label_size", 0):
        raise ValueError("conditional networks of this repository are not known here")
    own = read_variables(state["variables"])

    def layer(name: str, gain: float = math.sqrt(2)) -> Layer:
        weight = own[f"{name}/weight"]
        if name.endswith("Conv0_up"):  # a transposed convolution, whose kernel lies the other way round
            weight = weight.permute(2, 3, 0, 1).flip(2, 3)
        else:
            weight = weight.permute(3, 2, 0, 1)
        return weight * gain / math.sqrt(weight[0].numel()), own[f"{name}/bias"]

    sizes = sorted({parse_number(name.split("x")[0]) for name in own if name.endswith("Conv1/weight")})
    pairs = [(f"{size}x{size}/Conv0", f"{size}x{size}/Conv1") for size in sizes]
    first = [f"{name}_up" if f"{name}_up/weight" in own else name for name, _ in pairs]
    dense = own["4x4/Dense/weight"].mT * (math.sqrt(2) / 4 / math.sqrt(len(own["4x4/Dense/weight"])))
    convs = [layer("4x4/Conv"), *[layer(name) for pair in zip(first, (second for _, second in pairs)) for name in pair]]
    return convert_proggan((dense, own["4x4/Dense/bias"].repeat_interleave(16)), convs, layer("ToRGB_lod0", 1.0))
