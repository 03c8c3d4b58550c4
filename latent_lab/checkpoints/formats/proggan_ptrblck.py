"""ProgGAN as converted by ptrblck and used by GANLatentDiscovery: ``features.<i>`` with the gain stored as a number."""

from __future__ import annotations

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.proggan_layers import Layer, convert_proggan
from latent_lab.checkpoints.trees import tensors_at, values_at


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    return {"features.0.conv.weight", "features.0.wscale.scale", "output.wscale.b"} <= values_at(tree).keys()


def convert(tree: object) -> Description:
    """Convert ptrblck's ProgGAN to the layout of latent_lab."""
    own = tensors_at(tree)

    def layer(name: str) -> Layer:
        return own[f"{name}.conv.weight"] * own[f"{name}.wscale.scale"], own[f"{name}.wscale.b"]

    count = sum(key.startswith("features.") and key.endswith("conv.weight") for key in own)
    weight, bias = layer("features.0")
    return convert_proggan(
        (weight.flip(2, 3), bias), [layer(f"features.{i}") for i in range(1, count)], layer("output")
    )
