"""BigGAN of ajbrock: spectral normalisation by one power iteration from a stored vector, which is folded into the
weights here."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.trees import tensors_at, values_at


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    needed = {"shared.weight", "linear.u0", "blocks.0.0.bn1.gain.weight", "output_layer.2.u0"}
    return needed <= values_at(tree).keys()


def convert(tree: object) -> Description:
    """Convert ajbrock's BigGAN to the layout of latent_lab."""
    own = tensors_at(tree)

    def fold(name: str) -> Tensor:
        weight, u = own[f"{name}.weight"], own[f"{name}.u0"]
        matrix = weight.flatten(1)
        v = F.normalize(u @ matrix, eps=1e-6)
        u = F.normalize(v @ matrix.mT, eps=1e-6)
        return weight / (v @ matrix.mT @ u.mT).squeeze()

    tensors = {
        "embed.weight": own["shared.weight"],
        "linear.weight": fold("linear"),
        "linear.bias": own["linear.bias"],
    }
    count = sum(key.startswith("blocks.") and key.endswith("0.conv1.weight") for key in own)
    attention = None
    for i in range(count):
        theirs = f"blocks.{i}.0"
        for ours, name in (("conv1", "conv1"), ("conv2", "conv2"), ("bypass", "conv_sc")):
            tensors |= {
                f"blocks.{i}.{ours}.weight": fold(f"{theirs}.{name}"),
                f"blocks.{i}.{ours}.bias": own[f"{theirs}.{name}.bias"],
            }
        for ours, name in (("norm1", "bn1"), ("norm2", "bn2")):
            tensors |= {f"blocks.{i}.{ours}.{part}": own[f"{theirs}.{name}.stored_{part}"] for part in ("mean", "var")}
            tensors |= {
                f"blocks.{i}.{ours}.{part}.weight": fold(f"{theirs}.{name}.{part}") for part in ("gain", "bias")
            }
        if f"blocks.{i}.1.gamma" in own:
            attention = i
            tensors[f"attention.{i}.gamma"] = own[f"blocks.{i}.1.gamma"]
            for ours, name in (("query", "theta"), ("key", "phi"), ("value", "g"), ("out", "o")):
                tensors[f"attention.{i}.{ours}.weight"] = fold(f"blocks.{i}.1.{name}")
    norm = {"weight": "gain", "bias": "bias", "running_mean": "stored_mean", "running_var": "stored_var"}
    tensors |= {f"norm.{ours}": own[f"output_layer.0.{theirs}"] for ours, theirs in norm.items()}
    tensors["norm.num_batches_tracked"] = own["shared.weight"].new_zeros((), dtype=torch.int64)
    tensors |= {"conv.weight": fold("output_layer.2"), "conv.bias": own["output_layer.2.bias"]}
    first = tensors["linear.weight"]
    widths = [len(first) // 16] + [len(tensors[f"blocks.{i}.conv2.weight"]) for i in range(count)]
    classes, embedding = tensors["embed.weight"].shape
    config = {
        "latent_dim": first.shape[1] * (count + 1),
        "classes": classes,
        "embedding": embedding,
        "widths": widths,
        "attention": attention,
    }
    return "latent_lab.gans.biggan.BigGAN", config, tensors
