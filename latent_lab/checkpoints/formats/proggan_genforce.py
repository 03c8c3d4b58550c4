"""ProgGAN of genforce: ``generator_smooth`` with ``layer<i>`` and one ``output<k>`` a resolution, gains applied at run
time."""

from __future__ import annotations

import math

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.limits import parse_number
from latent_lab.checkpoints.proggan_layers import Layer, convert_proggan
from latent_lab.checkpoints.trees import tensors_at, values_at


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    return {"layer0.weight", "layer1.weight", "output0.weight", "lod"} <= values_at(tree, "generator_smooth").keys()


def convert(tree: object) -> Description:
    """Convert genforce's ProgGAN to the layout of latent_lab."""
    own = tensors_at(tree, "generator_smooth")

    def layer(name: str, gain: float = math.sqrt(2)) -> Layer:
        weight = own[f"{name}.weight"]
        return weight * gain / math.sqrt(weight[0].numel()), own[f"{name}.bias"]

    count = sum(key.startswith("layer") and key.endswith(".weight") for key in own)
    last = max(parse_number(key[6:].split(".")[0]) for key in own if key.startswith("output"))
    weight, bias = layer("layer0")
    return convert_proggan(
        (weight.flip(2, 3), bias), [layer(f"layer{i}") for i in range(1, count)], layer(f"output{last}", 1.0)
    )
