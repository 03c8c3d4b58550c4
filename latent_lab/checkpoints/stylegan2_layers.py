"""What the formats of StyleGAN2 have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor


class Conv(NamedTuple):
    """A styled convolution (with noise) or a block's colours (without), as a file stores it."""

    weight: Tensor
    bias: Tensor
    affine_weight: Tensor
    affine_bias: Tensor
    noise_strength: Tensor | None = None
    noise: Tensor | None = None


def mapped(
    mapping: Sequence[tuple[Tensor, Tensor]], mean: Tensor, embed: tuple[Tensor, Tensor] | None
) -> dict[str, Tensor]:
    """The mapping's tensors from its layers, stored at 100 times their size over a gain of 1 / sqrt(inputs), and the
    embedding of classes."""
    tensors = {"mapping.mean": mean}
    for i, (weight, bias) in enumerate(mapping):
        tensors[f"mapping.layers.{i}.weight"] = weight * (0.01 / math.sqrt(weight.shape[1]))
        tensors[f"mapping.layers.{i}.bias"] = bias * 0.01
    if embed is not None:
        tensors |= {"mapping.embed.weight": embed[0] / math.sqrt(embed[0].shape[1]), "mapping.embed.bias": embed[1]}
    return tensors


def affine(name: str, weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """A layer's map from styles."""
    return {f"{name}.affine.weight": weight * (1 / math.sqrt(weight.shape[1])), f"{name}.affine.bias": bias}


def stylegan2(
    mapping: Sequence[tuple[Tensor, Tensor]],
    mean: Tensor,
    const: Tensor,
    convs: Sequence[Conv],
    colours: Sequence[Conv],
    *,
    embed: tuple[Tensor, Tensor] | None = None,
    demodulation: bool = False,
    clamp: float | None = None,
):
    r"""Family, config and tensors, with the gains of the equalised learning rate folded into the weights.

    Arguments:
        mapping: Weight and bias of each layer, as :func:`mapped` takes them.
        mean: The mean style.
        convs: The convolutions in order: one at 4x4, two at each other resolution.
        colours: One for each resolution.
        embed: The class embedding's weight and bias.
        demodulation: Whether the small constant of the demodulation is added to sums over scaled weights, not stored
            ones.
        clamp: As in the family.
    """
    tensors = mapped(mapping, mean, embed) | {"const": const}
    for i, conv in enumerate(convs):
        name = f"blocks.{(i + 1) // 2}.conv{(i + 1) % 2}"
        gain = 1 / math.sqrt(conv.weight[0].numel()) if demodulation else 1
        tensors |= affine(name, conv.affine_weight, conv.affine_bias)
        weight = conv.weight.transpose(0, 1) if i % 2 else conv.weight  # the upsampling ones lie the other way round
        tensors |= {f"{name}.weight": weight * gain, f"{name}.bias": conv.bias}
        tensors |= {f"{name}.noise_strength": conv.noise_strength.reshape(()), f"{name}.noise": conv.noise}
    for i, conv in enumerate(colours):
        name = f"blocks.{i}.rgb"
        tensors |= affine(name, conv.affine_weight, conv.affine_bias)
        tensors |= {
            f"{name}.conv.weight": conv.weight / math.sqrt(conv.weight.shape[1]),
            f"{name}.conv.bias": conv.bias,
        }
    classes, style_dim = 0 if embed is None else embed[0].shape[1], len(mean)
    config = {
        "latent_dim": mapping[0][0].shape[1] - (style_dim if classes else 0),
        **{"style_dim": style_dim, "classes": classes, "widths": [len(conv.weight) for conv in convs[::2]]},
        **{"mapping_layers": len(mapping), "image_channels": len(colours[0].weight), "clamp": clamp},
    }
    return "latent_lab.gans.stylegan2.StyleGAN2", config, tensors
