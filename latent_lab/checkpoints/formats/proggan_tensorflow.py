"""ProgGAN of the official TensorFlow repository: a pickle of three networks, their variables as arrays, gains applied
at run time."""

from __future__ import annotations

import math

from latent_lab.checkpoints.limits import number
from latent_lab.checkpoints.proggan_layers import proggan
from latent_lab.checkpoints.tensorflow import averaged_network, table, variables


def matches(tree) -> bool:
    network = averaged_network(tree)
    return (
        network is not None and {"4x4/Dense/weight", "4x4/Conv/weight"} <= table(network.state.get("variables")).keys()
    )


def convert(tree):
    state = averaged_network(tree).state
    if state["static_kwargs"].get("label_size", 0):
        raise ValueError("conditional networks of this repository are not known here")
    own = variables(state["variables"])

    def layer(name: str, gain: float = math.sqrt(2)):
        weight = own[f"{name}/weight"]
        if name.endswith("Conv0_up"):  # a transposed convolution, whose kernel lies the other way round
            weight = weight.permute(2, 3, 0, 1).flip(2, 3)
        else:
            weight = weight.permute(3, 2, 0, 1)
        return weight * gain / math.sqrt(weight[0].numel()), own[f"{name}/bias"]

    sizes = sorted({number(name.split("x")[0]) for name in own if name.endswith("Conv1/weight")})
    pairs = [(f"{size}x{size}/Conv0", f"{size}x{size}/Conv1") for size in sizes]
    first = [f"{name}_up" if f"{name}_up/weight" in own else name for name, _ in pairs]
    dense = own["4x4/Dense/weight"].mT * (math.sqrt(2) / 4 / math.sqrt(len(own["4x4/Dense/weight"])))
    convs = [layer("4x4/Conv"), *[layer(name) for pair in zip(first, (second for _, second in pairs)) for name in pair]]
    return proggan((dense, own["4x4/Dense/bias"].repeat_interleave(16)), convs, layer("ToRGB_lod0", 1.0))
