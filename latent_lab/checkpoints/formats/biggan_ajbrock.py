"""BigGAN of ajbrock: spectral normalisation by one power iteration from a stored vector, which is folded into the
weights here."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def matches(tree) -> bool:
    return (
        isinstance(tree, dict)
        and {"shared.weight", "linear.u0", "blocks.0.0.bn1.gain.weight", "output_layer.2.u0"} <= tree.keys()
    )


def convert(tree):
    def folded(name: str) -> Tensor:
        weight, u = tree[f"{name}.weight"], tree[f"{name}.u0"]
        matrix = weight.flatten(1)
        v = F.normalize(u @ matrix, eps=1e-6)
        u = F.normalize(v @ matrix.mT, eps=1e-6)
        return weight / (v @ matrix.mT @ u.mT).squeeze()

    tensors = {
        "embed.weight": tree["shared.weight"],
        "linear.weight": folded("linear"),
        "linear.bias": tree["linear.bias"],
    }
    count = sum(key.startswith("blocks.") and key.endswith("0.conv1.weight") for key in tree)
    attention = None
    for i in range(count):
        theirs = f"blocks.{i}.0"
        for ours, name in (("conv1", "conv1"), ("conv2", "conv2"), ("bypass", "conv_sc")):
            tensors |= {
                f"blocks.{i}.{ours}.weight": folded(f"{theirs}.{name}"),
                f"blocks.{i}.{ours}.bias": tree[f"{theirs}.{name}.bias"],
            }
        for ours, name in (("norm1", "bn1"), ("norm2", "bn2")):
            tensors |= {f"blocks.{i}.{ours}.{part}": tree[f"{theirs}.{name}.stored_{part}"] for part in ("mean", "var")}
            tensors |= {
                f"blocks.{i}.{ours}.{part}.weight": folded(f"{theirs}.{name}.{part}") for part in ("gain", "bias")
            }
        if f"blocks.{i}.1.gamma" in tree:
            attention = i
            tensors[f"attention.{i}.gamma"] = tree[f"blocks.{i}.1.gamma"]
            for ours, name in (("query", "theta"), ("key", "phi"), ("value", "g"), ("out", "o")):
                tensors[f"attention.{i}.{ours}.weight"] = folded(f"blocks.{i}.1.{name}")
    norm = {"weight": "gain", "bias": "bias", "running_mean": "stored_mean", "running_var": "stored_var"}
    tensors |= {f"norm.{ours}": tree[f"output_layer.0.{theirs}"] for ours, theirs in norm.items()}
    tensors["norm.num_batches_tracked"] = tree["shared.weight"].new_zeros((), dtype=int)
    tensors |= {"conv.weight": folded("output_layer.2"), "conv.bias": tree["output_layer.2.bias"]}
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
