"""Attribute-level feature transfer: a part of one image's activations in another's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.applications.base import Application, Composition, Target
from latent_lab.inversion.base import Track, require_number
from latent_lab.inversion.optimisation.masked import BuildingBlocks
from latent_lab.ops.blur import gaussian_blur


class FeatureTransfer(Application):
    r"""The first image, with the second's activations of one layer in the mask; the layers after it read the first's
    codes.

    .. math:: A_l \leftarrow A_l + m (B_l - A_l), \qquad m = a\, c \odot M_b

    with the activations :math:`A_l, B_l` of the first and of the second, the amount a, the channels c and the blurred
    mask. An amount of 1 in all channels is the paper's spatial copy (:math:`I_{att}`), one in between its averaging,
    some of the channels its channel-wise copy.

    References:
        | Image2StyleGAN++ (Abdal et al., 2020), Section 3.3, 5.4 and Algorithm 7: layer 4, which is 32 pixels wide

    Arguments:
        blocks, seam: See :class:`Application`; the seam is in pixels of the image.
        layer: Name of a convolution that reads a row of w+, or the number of its row.
        amount: Amount a of the mixture, from 0 to 1.
        channels: Numbers of the channels that are copied, from 0; None for all.
    """

    num_images = 2

    def __init__(
        self,
        blocks: BuildingBlocks,
        seam: float = 0.0,
        layer: int | str = "32x32 conv1",
        amount: float = 1.0,
        channels: Sequence[int] | None = None,
    ) -> None:
        super().__init__(blocks, seam)
        require_number("amount", amount, 0, 1)
        for channel in channels or ():
            require_number("channels", channel, whole=True)
        self.layer, self.amount, self.channels = layer, amount, channels

    def make(
        self,
        space: LatentSpace,
        images: Tensor,
        mask: Tensor | None,
        rng: torch.Generator,
        codes: Codes | None,
        track: Track,
    ) -> Composition:
        row, module = convolution(space, self.layer)
        found = self.embed(space, images, codes, track, noise=True)
        first, second = found.select(slice(0, 1)), found.select(slice(1, 2))
        with torch.no_grad():
            activation = space.activations(second, [module])[module]
            shown = space.decode(found)
        share = self.amount * F.interpolate(gaussian_blur(mask, self.seam), activation.shape[2:], mode="area")
        if self.channels is not None:
            num = activation.shape[1]
            if not self.channels or not 0 <= min(self.channels) <= max(self.channels) < num:
                raise ValueError(
                    f"channels must be numbers from 0 to {num - 1} of layer {self.layer!r}, at least one, "
                    f"got {self.channels}"
                )
            share = (
                share
                * torch.zeros(num, device=share.device).index_fill(0, torch.tensor(list(self.channels)), 1)[
                    :, None, None
                ]
            )
        pasted = first.with_given({f"activation.{row}": activation, f"mask.{row}": share})
        inputs = {"first": images[:1], "second": images[1:]}
        if (shown.clamp(-1, 1) - images).abs().max() > 1 / 255:  # photographs, not samples
            inputs |= {"first, inverted": shown[:1], "second, inverted": shown[1:]}
        targets = [Target("second, inside", shown[1:], mask), Target("first, outside", shown[:1], 1 - mask)]
        return Composition(pasted, inputs, targets)


def convolution(space: LatentSpace, layer: int | str) -> tuple[int, str]:
    """Return the row of w+ that a convolution reads, and its name among the generator's modules.

    Arguments:
        space: The space w+.
        layer: The row, or its name (``space.layers``).
    """
    layers = {layer.row: layer for layer in space.generator.style_layers() if layer.features is not None}
    names = {one.name: row for row, one in layers.items()}
    row = names.get(layer, layer)
    if row not in layers:
        raise ValueError(f"layer must be one of {list(names)} or the number of its row, got {layer!r}")
    affine = layers[row].affine
    return row, next(
        name for name, module in space.generator.named_modules() if getattr(module, "affine", None) is affine
    )
