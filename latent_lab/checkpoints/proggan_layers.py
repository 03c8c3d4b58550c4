"""What the three formats of ProgGAN have in common."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

Layer = tuple[Tensor, Tensor]  # weight and bias, gains included


def proggan(dense: Layer, convs: Sequence[Layer], rgb: Layer):
    """Family, config and tensors from the layers.

    Arguments:
        dense: The first layer: a linear one with a weight for each of :math:`C \\times 4 \\times 4` outputs, or the
            same as a convolution :math:`(C, D, 4, 4)` that was turned round; its bias has one number a channel or an
            output.
        convs: The 3x3 convolutions.
        rgb: The last, 1x1.
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
