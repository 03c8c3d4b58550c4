"""StyleGAN3 of NVIDIA: pickles of persistent modules, plain state dicts. The filters are in the file; nothing is
designed anew."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from latent_lab.checkpoints.formats import Description
from latent_lab.checkpoints.limits import parse_number, quote
from latent_lab.checkpoints.persistent import read_mapping, read_state
from latent_lab.checkpoints.stylegan2_layers import convert_affine, convert_mapping

NAMES = {
    **{
        "z_dim": "latent_dim",
        "w_dim": "style_dim",
        "c_dim": "classes",
        "img_resolution": "resolution",
        "img_channels": "image_channels",
    },
    **{
        "num_layers": "layers",
        "num_critical": "critical",
        "channel_base": "channel_base",
        "channel_max": "channel_max",
    },
    **{
        "conv_kernel": "kernel",
        "use_radial_filters": "radial",
        "first_cutoff": "first_cutoff",
        "first_stopband": "first_stopband",
    },
    **{"last_stopband_rel": "last_stopband_rel", "margin_size": "margin", "filter_size": "filter_size"},
    **{"output_scale": "output_scale", "conv_clamp": "clamp"},
}


def matches(tree: object) -> bool:
    """Tell whether a checkpoint is in this layout."""
    return "synthesis.input.freqs" in read_state(tree)[0]


def infer_config(own: dict[str, Tensor], names: list[str]) -> dict[str, object]:
    """Infer the arguments from a plain state dict: a layer's name holds its size and width, and the filters' design is
    the official one.

    Arguments:
        own: The state dict, in the names of the file.
        names: The synthesis's layers, in order.
    """
    sizes, widths = zip(*[[parse_number(part) for part in name.split("_")[1:]] for name in names])
    layers, mean, embed = read_mapping(own)
    classes = embed[0].shape[1] if embed else 0
    return {
        **{
            "latent_dim": layers[0][0].shape[1] - (len(mean) if classes else 0),
            "style_dim": len(mean),
            "classes": classes,
        },
        **{"resolution": sizes[-1], "image_channels": widths[-1], "layers": len(names) - 1},
        # the last filtered layer's cutoff is half its size
        **{"channel_base": widths[-2] * sizes[-1], "channel_max": widths[0]},
        **{"kernel": own[f"synthesis.{names[0]}.weight"].shape[2]},
        "radial": any(own.get(f"synthesis.{name}.down_filter", mean).ndim == 2 for name in names),
    }


def convert(tree: object) -> Description:
    """Convert NVIDIA's StyleGAN3 to the layout of latent_lab."""
    own, options = read_state(tree)
    names = sorted(
        {key.split(".")[1] for key in own if key.startswith("synthesis.L")},
        key=lambda name: parse_number(name[1:].split("_")[0]),
    )
    if options.get("lrelu_upsampling", 2) != 2:
        raise ValueError(f"lrelu_upsampling must be 2, got {quote(options['lrelu_upsampling'])}")
    config: dict[str, Any] = (
        {ours: options[theirs] for theirs, ours in NAMES.items() if theirs in options}
        if options
        else infer_config(own, names)
    )
    config["mapping_layers"] = len(read_mapping(own)[0])
    if config.get("layers", 14) != len(names) - 1 or not 0 < config.get("filter_size", 6) <= 64:
        raise ValueError(f"its arguments do not agree with its {len(names)} layers")

    tensors = convert_mapping(*read_mapping(own))
    for ours, theirs in [("input", "input"), *[(f"layers.{i}", name) for i, name in enumerate(names)]]:
        name = f"synthesis.{theirs}.affine"
        tensors |= convert_affine(ours, own[f"{name}.weight"], own[f"{name}.bias"])
    for part in ("freqs", "phases"):
        tensors[f"input.{part}"] = own[f"synthesis.input.{part}"]
    tensors["input.transform"] = own.get("synthesis.input.transform", torch.eye(3))  # some copies leave it out
    tensors["input.weight"] = own["synthesis.input.weight"] / math.sqrt(len(own["synthesis.input.weight"]))
    for i, name in enumerate(names):
        weight = own[f"synthesis.{name}.weight"]
        if i < len(names) - 1:
            weight = weight * weight.square().mean((1, 2, 3), keepdim=True).rsqrt()
        else:  # colours are not demodulated, so that the gain stays
            weight = weight / math.sqrt(weight[0].numel())
        tensors |= {f"layers.{i}.weight": weight, f"layers.{i}.bias": own[f"synthesis.{name}.bias"]}
        tensors[f"layers.{i}.magnitude"] = own[f"synthesis.{name}.magnitude_ema"].reshape(())
        for part in ("up_filter", "down_filter"):
            if f"synthesis.{name}.{part}" in own:
                tensors[f"layers.{i}.{part}"] = own[f"synthesis.{name}.{part}"]
    return "latent_lab.gans.stylegan3.StyleGAN3", config, tensors
