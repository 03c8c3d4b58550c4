"""ProgGAN of pytorch_GAN_zoo: ``avgG``; the gain multiplies a layer's whole output, its bias included."""

from __future__ import annotations

import math

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.proggan_layers import Layer, convert_proggan
from latent_lab.checkpoints.trees import tensors_at, values_at


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    return {"formatLayer.module.weight", "groupScale0.0.module.weight"} <= values_at(tree, "avgG").keys()


def convert(tree: object) -> Description:
    """Convert pytorch_GAN_zoo's ProgGAN to the layout of latent_lab."""
    own = tensors_at(tree, "avgG")

    def layer(name: str) -> Layer:
        weight = own[f"{name}.module.weight"]
        gain = math.sqrt(2 / weight[0].numel())
        return weight * gain, own[f"{name}.module.bias"] * gain

    weight, bias = layer("formatLayer")
    convs, scale = [layer("groupScale0.0")], 0
    while f"scaleLayers.{scale}.0.module.weight" in own:
        convs += [layer(f"scaleLayers.{scale}.{i}") for i in (0, 1)]
        scale += 1
    return convert_proggan((weight, bias), convs, layer(f"toRGBLayers.{scale}"))
