"""SNGAN of GANLatentDiscovery: ``generator.pt``, keys ``model.<index>`` of a sequence of linear, reshape, blocks, norm,
ReLU, conv."""

from __future__ import annotations

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.limits import parse_number
from latent_lab.checkpoints.trees import tensors_at, values_at

FAMILY = "latent_lab.gans.sngan.SNGAN"
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    return {"model.0.weight", "model.2.conv1.weight", "model.2.model.6.weight"} <= values_at(tree).keys()


def convert(tree: object) -> Description:
    """Convert the SNGAN of GANLatentDiscovery to the layout of latent_lab."""
    own = tensors_at(tree)
    blocks = sorted({parse_number(key.split(".")[1]) for key in own if ".conv1.weight" in key})
    norm, conv = blocks[-1] + 1, blocks[-1] + 3
    moved = {f"linear.{part}": f"model.0.{part}" for part in ("weight", "bias")}
    for i, block in enumerate(blocks):
        for ours, theirs in (("norm1", "model.0"), ("norm2", "model.4")):
            moved |= {f"blocks.{i}.{ours}.{part}": f"model.{block}.{theirs}.{part}" for part in NORM}
        for ours, theirs in (("conv1", "model.3"), ("conv2", "model.6"), ("bypass", "bypass.1")):
            if f"model.{block}.{theirs}.weight" in own:
                moved |= {f"blocks.{i}.{ours}.{part}": f"model.{block}.{theirs}.{part}" for part in ("weight", "bias")}
    moved |= {f"norm.{part}": f"model.{norm}.{part}" for part in NORM}
    moved |= {f"conv.{part}": f"model.{conv}.{part}" for part in ("weight", "bias")}
    tensors = {ours: own[theirs] for ours, theirs in moved.items()}
    widths = [len(tensors["linear.weight"]) // 16] + [
        len(tensors[f"blocks.{i}.conv2.weight"]) for i in range(len(blocks))
    ]
    config = {
        "latent_dim": tensors["linear.weight"].shape[1],
        "widths": widths,
        "image_channels": len(tensors["conv.weight"]),
    }
    return FAMILY, config, tensors
