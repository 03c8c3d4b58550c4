"""SNGAN of GANLatentDiscovery: ``generator.pt``, keys ``model.<index>`` of a sequence of linear, reshape, blocks, norm,
ReLU, conv."""

from __future__ import annotations

from latent_lab.checkpoints.limits import number

FAMILY = "latent_lab.gans.sngan.SNGAN"
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def matches(tree) -> bool:
    return (
        isinstance(tree, dict) and {"model.0.weight", "model.2.conv1.weight", "model.2.model.6.weight"} <= tree.keys()
    )


def convert(tree):
    blocks = sorted({number(key.split(".")[1]) for key in tree if ".conv1.weight" in key})
    norm, conv = blocks[-1] + 1, blocks[-1] + 3
    moved = {f"linear.{part}": f"model.0.{part}" for part in ("weight", "bias")}
    for i, block in enumerate(blocks):
        for ours, theirs in (("norm1", "model.0"), ("norm2", "model.4")):
            moved |= {f"blocks.{i}.{ours}.{part}": f"model.{block}.{theirs}.{part}" for part in NORM}
        for ours, theirs in (("conv1", "model.3"), ("conv2", "model.6"), ("bypass", "bypass.1")):
            if f"model.{block}.{theirs}.weight" in tree:
                moved |= {f"blocks.{i}.{ours}.{part}": f"model.{block}.{theirs}.{part}" for part in ("weight", "bias")}
    moved |= {f"norm.{part}": f"model.{norm}.{part}" for part in NORM}
    moved |= {f"conv.{part}": f"model.{conv}.{part}" for part in ("weight", "bias")}
    tensors = {ours: tree[theirs] for ours, theirs in moved.items()}
    widths = [len(tensors["linear.weight"]) // 16] + [
        len(tensors[f"blocks.{i}.conv2.weight"]) for i in range(len(blocks))
    ]
    config = {
        "latent_dim": tensors["linear.weight"].shape[1],
        "widths": widths,
        "image_channels": len(tensors["conv.weight"]),
    }
    return FAMILY, config, tensors
