"""ProgGAN of genforce: ``generator_smooth`` with ``layer<i>`` and one ``output<k>`` a resolution, gains applied at run
time."""

from __future__ import annotations

import math

from latent_lab.checkpoints.limits import number
from latent_lab.checkpoints.proggan_layers import proggan


def matches(tree) -> bool:
    return (
        isinstance(tree, dict)
        and {"layer0.weight", "layer1.weight", "output0.weight", "lod"} <= tree.get("generator_smooth", {}).keys()
    )


def convert(tree):
    own = tree["generator_smooth"]

    def layer(name: str, gain: float = math.sqrt(2)):
        weight = own[f"{name}.weight"]
        return weight * gain / math.sqrt(weight[0].numel()), own[f"{name}.bias"]

    count = sum(key.startswith("layer") and key.endswith(".weight") for key in own)
    last = max(number(key[6:].split(".")[0]) for key in own if key.startswith("output"))
    weight, bias = layer("layer0")
    return proggan(
        (weight.flip(2, 3), bias), [layer(f"layer{i}") for i in range(1, count)], layer(f"output{last}", 1.0)
    )
