"""StyleGAN2 as the plain state dicts of the two repositories that most tools read."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from latent_lab.gans.stylegan2 import StyledConv, StyleGAN2


def undo_gains(layer: nn.Linear, gain: float = 1.0, bias_gain: float = 1.0) -> dict[str, Tensor]:
    """Return a linear layer without the gains that a network of equalised learning rate applies at run time.

    Arguments:
        layer: The layer.
        gain: Further factor that the network applies to the weights.
        bias_gain: Factor that it applies to the biases.
    """
    return {"weight": layer.weight * math.sqrt(layer.in_features) / gain, "bias": layer.bias / bias_gain}


def read_kernel(conv: StyledConv) -> Tensor:
    """Return the kernel of a convolution, with shape :math:`(O, I, 3, 3)`."""
    return conv.weight.transpose(0, 1) if conv.up else conv.weight


def add_prefix(prefix: str, parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with a prefix and a dot before their names."""
    return {f"{prefix}.{part}": value for part, value in parts.items()}


def nvlabs(model: StyleGAN2) -> dict[str, Tensor]:
    """Return the state dict of ``Generator`` in NVIDIA's PyTorch repositories."""
    fir = model.fir / 4
    own: dict[str, Tensor] = {"mapping.w_avg": model.mapping.mean, "synthesis.b4.const": model.const}
    if model.mapping.embed is not None:
        own |= add_prefix("mapping.embed", undo_gains(model.mapping.embed))
    for i, layer in enumerate(model.mapping.linear_layers()):
        own |= add_prefix(f"mapping.fc{i}", undo_gains(layer, 0.01, 0.01))
    for i, block in enumerate(model.resolutions()):
        name = f"synthesis.b{4 * 2**i}"
        own[f"{name}.resample_filter"] = fir
        for part, conv in (("conv0", block.conv0), ("conv1", block.conv1)):
            if conv is not None:
                own |= add_prefix(f"{name}.{part}.affine", undo_gains(conv.affine))
                own |= add_prefix(
                    f"{name}.{part}", {"weight": read_kernel(conv), "bias": conv.bias, "resample_filter": fir}
                )
                own |= add_prefix(f"{name}.{part}", {"noise_strength": conv.noise_strength, "noise_const": conv.noise})
        rgb = block.rgb
        own |= add_prefix(f"{name}.torgb.affine", undo_gains(rgb.affine))
        own |= add_prefix(
            f"{name}.torgb",
            {"weight": rgb.conv.weight * math.sqrt(rgb.conv.in_channels), "bias": rgb.conv.get_parameter("bias")},
        )
    return own


def rosinality(model: StyleGAN2) -> dict[str, object]:
    """Return ``g_ema`` and ``latent_avg`` as in rosinality's repository, which has no clamp.

    Where a network has one, it is left out, as every converter does: at 256 a trained network's activations do not
    reach it.

    Raises:
        ValueError: if the network has classes.
    """
    if model.classes:
        raise ValueError(
            f"layout must be nvlabs or null for a conditional network, got 'rosinality' and {model.classes} classes"
        )
    own: dict[str, Tensor] = {"input.input": model.const[None]}
    for i, layer in enumerate(model.mapping.linear_layers(), 1):
        own |= add_prefix(f"style.{i}", undo_gains(layer, 0.01, 0.01))
    convs = [conv for block in model.resolutions() for conv in (block.conv0, block.conv1) if conv is not None]
    for i, conv in enumerate(convs):
        name = f"convs.{i - 1}" if i else "conv1"
        own |= add_prefix(f"{name}.conv.modulation", undo_gains(conv.affine))
        own[f"{name}.conv.weight"] = read_kernel(conv)[None] * math.sqrt(9 * read_kernel(conv).shape[1])
        own |= {f"{name}.noise.weight": conv.noise_strength[None], f"{name}.activate.bias": conv.bias}
        own[f"noises.noise_{i}"] = conv.noise[None, None]
        if conv.up:
            own[f"{name}.conv.blur.kernel"] = model.fir
    for i, rgb in enumerate(block.rgb for block in model.resolutions()):
        name = f"to_rgbs.{i - 1}" if i else "to_rgb1"
        own |= add_prefix(f"{name}.conv.modulation", undo_gains(rgb.affine))
        own[f"{name}.conv.weight"] = rgb.conv.weight[None] * math.sqrt(rgb.conv.in_channels)
        own[f"{name}.bias"] = rgb.conv.get_parameter("bias")[None, :, None, None]
        if i:
            own[f"{name}.upsample.kernel"] = model.fir
    return {
        "g_ema": {name: value.contiguous() for name, value in own.items()},
        "latent_avg": torch.clone(model.mapping.mean),
    }
