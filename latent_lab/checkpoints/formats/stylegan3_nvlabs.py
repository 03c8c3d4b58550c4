"""StyleGAN3 of NVIDIA: pickles of persistent modules. The filters are in the file; nothing is designed anew."""

from __future__ import annotations

import math

from latent_lab.checkpoints.persistent import mapping_of, module_of, options_of, tensors_of
from latent_lab.checkpoints.stylegan2_layers import affine, mapped

NAMES = {
    **{"z_dim": "latent_dim", "w_dim": "style_dim", "c_dim": "classes", "img_resolution": "resolution", "img_channels": "image_channels"},
    **{"num_layers": "layers", "num_critical": "critical", "channel_base": "channel_base", "channel_max": "channel_max"},
    **{"conv_kernel": "kernel", "use_radial_filters": "radial", "first_cutoff": "first_cutoff", "first_stopband": "first_stopband"},
    **{"last_stopband_rel": "last_stopband_rel", "margin_size": "margin", "filter_size": "filter_size"},
    **{"output_scale": "output_scale", "conv_clamp": "clamp"},
}


def matches(tree) -> bool:
    module = module_of(tree)
    return module is not None and "synthesis.input.freqs" in tensors_of(module)


def convert(tree):
    own, options = tensors_of(module_of(tree)), options_of(module_of(tree))
    if options.get("lrelu_upsampling", 2) != 2:
        raise ValueError(f"lrelu_upsampling must be 2, got {options['lrelu_upsampling']!r}")
    config = {ours: options[theirs] for theirs, ours in NAMES.items() if theirs in options} | {"mapping_layers": len(mapping_of(own)[0])}

    count = sum(key.startswith("synthesis.L") and key.endswith(".magnitude_ema") for key in own)
    if config.get("layers", 14) != count - 1 or not 0 < config.get("filter_size", 6) <= 64:
        raise ValueError(f"its arguments do not agree with its {count} layers")

    tensors = mapped(*mapping_of(own))
    names = sorted({key.split(".")[1] for key in own if key.startswith("synthesis.L")}, key=lambda name: int(name[1:].split("_")[0]))
    for ours, theirs in [("input", "input"), *[(f"layers.{i}", name) for i, name in enumerate(names)]]:
        tensors |= affine(ours, *[own[f"synthesis.{theirs}.affine.{part}"] for part in ("weight", "bias")])
    for part in ("freqs", "phases", "transform"):
        tensors[f"input.{part}"] = own[f"synthesis.input.{part}"]
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
