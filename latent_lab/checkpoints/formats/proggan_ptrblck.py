"""ProgGAN as converted by ptrblck and used by GANLatentDiscovery: ``features.<i>`` with the gain stored as a number."""

from __future__ import annotations

from latent_lab.checkpoints.proggan_layers import proggan


def matches(tree) -> bool:
    return (
        isinstance(tree, dict)
        and {"features.0.conv.weight", "features.0.wscale.scale", "output.wscale.b"} <= tree.keys()
    )


def convert(tree):
    def layer(name: str):
        return tree[f"{name}.conv.weight"] * tree[f"{name}.wscale.scale"], tree[f"{name}.wscale.b"]

    count = sum(key.startswith("features.") and key.endswith("conv.weight") for key in tree)
    weight, bias = layer("features.0")
    return proggan((weight.flip(2, 3), bias), [layer(f"features.{i}") for i in range(1, count)], layer("output"))
