"""StyleGAN3 of NVIDIA: pickles of persistent modules, plain state dicts. The filters are in the file; nothing is
designed anew."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from latent_lab.checkpoints.limits import number, shown
from latent_lab.checkpoints.persistent import mapping_of, state_of
from latent_lab.checkpoints.stylegan2_layers import affine, mapped

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


def matches(tree) -> bool:
    state = state_of(tree)
    return state is not None and "synthesis.input.freqs" in state[0]


def described(own: dict[str, Tensor], names: list[str]) -> dict:
    """The arguments as a plain state dict shows them: a layer's name holds its size and width; the filters' design is
    the official one."""
    sizes, widths = zip(*[[number(part) for part in name.split("_")[1:]] for name in names])
    layers, mean, embed = mapping_of(own)
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


def convert(tree):
    own, options = state_of(tree)
    names = sorted(
        {key.split(".")[1] for key in own if key.startswith("synthesis.L")},
        key=lambda name: number(name[1:].split("_")[0]),
    )
    if options.get("lrelu_upsampling", 2) != 2:
        raise ValueError(f"lrelu_upsampling must be 2, got {shown(options['lrelu_upsampling'])}")
    config = (
        {ours: options[theirs] for theirs, ours in NAMES.items() if theirs in options}
        if options
        else described(own, names)
    )
    config["mapping_layers"] = len(mapping_of(own)[0])
    if config.get("layers", 14) != len(names) - 1 or not 0 < config.get("filter_size", 6) <= 64:
        raise ValueError(f"its arguments do not agree with its {len(names)} layers")

    tensors = mapped(*mapping_of(own))
    for ours, theirs in [("input", "input"), *[(f"layers.{i}", name) for i, name in enumerate(names)]]:
        tensors |= affine(ours, *[own[f"synthesis.{theirs}.affine.{part}"] for part in ("weight", "bias")])
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
