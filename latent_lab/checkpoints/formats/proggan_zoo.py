"""ProgGAN of pytorch_GAN_zoo: ``avgG``; the gain multiplies a layer's whole output, its bias included."""

from __future__ import annotations

import math

from latent_lab.checkpoints.proggan_layers import proggan


def matches(tree) -> bool:
    return (
        isinstance(tree, dict)
        and {"formatLayer.module.weight", "groupScale0.0.module.weight"} <= tree.get("avgG", {}).keys()
    )


def convert(tree):
    own = tree["avgG"]

    def layer(name: str):
        weight = own[f"{name}.module.weight"]
        gain = math.sqrt(2 / weight[0].numel())
        return weight * gain, own[f"{name}.module.bias"] * gain

    weight, bias = layer("formatLayer")
    convs, scale = [layer("groupScale0.0")], 0
    while f"scaleLayers.{scale}.0.module.weight" in own:
        convs += [layer(f"scaleLayers.{scale}.{i}") for i in (0, 1)]
        scale += 1
    return proggan((weight, bias), convs, layer(f"toRGBLayers.{scale}"))
