"""The part that all formats of StyleGAN2 share: from layers to a description."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from latent_lab.checkpoints.formats import Description


class Conv(NamedTuple):
    """A styled convolution (with noise) or a block's colours (without), as a file stores it.

    Arguments:
        weight: Kernel, with shape :math:`(O, I, k, k)`.
        bias: Bias, with shape :math:`(O,)`.
        affine_weight, affine_bias: Map from a style to factors of the I inputs, before its gain.
        noise_strength: Factor of the noise, one number.
        noise: Constant noise, with shape :math:`(H, W)`.
    """

    weight: Tensor
    bias: Tensor
    affine_weight: Tensor
    affine_bias: Tensor
    noise_strength: Tensor | None = None
    noise: Tensor | None = None


def convert_mapping(
    mapping: Sequence[tuple[Tensor, Tensor]], mean: Tensor, embed: tuple[Tensor, Tensor] | None
) -> dict[str, Tensor]:
    r"""Return the mapping's tensors, with the gains of the equalised learning rate in them.

    Arguments:
        mapping: Weight and bias of each layer; the network multiplies the stored ones by :math:`0.01 / \sqrt{D}` of
            the D inputs and by 0.01.
        mean: The mean style, with shape :math:`(D,)`.
        embed: Weight and bias of the embedding of classes; None without classes.
    """
    tensors = {"mapping.mean": mean}
    for i, (weight, bias) in enumerate(mapping):
        tensors[f"mapping.layers.{i}.weight"] = weight * (0.01 / math.sqrt(weight.shape[1]))
        tensors[f"mapping.layers.{i}.bias"] = bias * 0.01
    if embed is not None:
        tensors |= {"mapping.embed.weight": embed[0] / math.sqrt(embed[0].shape[1]), "mapping.embed.bias": embed[1]}
    return tensors


def convert_affine(name: str, weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """Return the tensors of a layer's map from styles, with the gain of the equalised learning rate in them."""
    return {f"{name}.affine.weight": weight * (1 / math.sqrt(weight.shape[1])), f"{name}.affine.bias": bias}


def convert_stylegan2(
    mapping: Sequence[tuple[Tensor, Tensor]],
    mean: Tensor,
    const: Tensor,
    convs: Sequence[Conv],
    colours: Sequence[Conv],
    *,
    embed: tuple[Tensor, Tensor] | None = None,
    demodulation: bool = False,
    clamp: float | None = None,
) -> Description:
    """Describe a StyleGAN2 by its layers; the gains of the equalised learning rate become part of the weights.

    Arguments:
        mapping: Weight and bias of each layer, as :func:`convert_mapping` takes them.
        mean: The mean style.
        convs: The convolutions in order: one at 4x4, two at each other resolution.
        colours: One for each resolution.
        embed: The class embedding's weight and bias.
        demodulation: True where the small constant of the demodulation is added to sums over scaled weights, False
            where it is added to sums over stored ones.
        clamp: Largest magnitude of an activation; None for no limit.
    """
    tensors = convert_mapping(mapping, mean, embed) | {"const": const}
    for i, conv in enumerate(convs):
        name = f"blocks.{(i + 1) // 2}.conv{(i + 1) % 2}"
        gain = 1 / math.sqrt(conv.weight[0].numel()) if demodulation else 1
        tensors |= convert_affine(name, conv.affine_weight, conv.affine_bias)
        weight = conv.weight.transpose(0, 1) if i % 2 else conv.weight  # the upsampling ones lie the other way round
        tensors |= {f"{name}.weight": weight * gain, f"{name}.bias": conv.bias}
        if conv.noise_strength is None or conv.noise is None:
            raise ValueError(f"its convolution {i} has no noise")
        tensors |= {f"{name}.noise_strength": conv.noise_strength.reshape(()), f"{name}.noise": conv.noise}
    for i, conv in enumerate(colours):
        name = f"blocks.{i}.rgb"
        tensors |= convert_affine(name, conv.affine_weight, conv.affine_bias)
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
