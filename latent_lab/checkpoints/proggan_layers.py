"""The part that all formats of ProgGAN share: from layers to a description."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from latent_lab.checkpoints.formats import Description

Layer = tuple[Tensor, Tensor]  # weight and bias, gains included


def convert_proggan(dense: Layer, convs: Sequence[Layer], rgb: Layer) -> Description:
    """Describe a ProgGAN by its layers.

    Arguments:
        dense: The first layer: a linear one with a weight for each of :math:`C \\times 4 \\times 4` outputs, or the
            same as a flipped convolution :math:`(C, D, 4, 4)`, whose bias has one number a channel.
        convs: The 3x3 convolutions, in order.
        rgb: The last one, 1x1, which makes the colours.
    """
    weight, bias = dense
    if weight.ndim == 4:
        channels, dim = weight.shape[:2]
        weight = weight.permute(0, 2, 3, 1).reshape(16 * channels, dim)
        bias = bias.repeat_interleave(16)
    widths = [len(weight) // 16, *[len(kernel) for kernel, _ in convs[2::2]]]
    tensors = {"dense.weight": weight, "dense.bias": bias, "rgb.weight": rgb[0], "rgb.bias": rgb[1]}
    for i, (kernel, shift) in enumerate(convs):
        tensors |= {f"convs.{i}.weight": kernel, f"convs.{i}.bias": shift}
    config = {"latent_dim": weight.shape[1], "widths": widths, "image_channels": len(rgb[0])}
    return "latent_lab.gans.proggan.ProgGAN", config, tensors
