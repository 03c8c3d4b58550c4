"""The networks of HFGI: one aligns an inversion's distortion to another image, one reads from it the conditions that
bring the details back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.ops.ir_se50 import Unit
from latent_lab.ops.recorded import Recorded


def units(widths: Sequence[int], stride: int) -> nn.Sequential:
    """Make three residual units without squeeze and excite, the first of which has the stride."""
    return nn.Sequential(
        *[Unit(inner, outer, 1 if i else stride, None) for i, (inner, outer) in enumerate(zip(widths, widths[1:]))]
    )


def stem(inner: int, outer: int) -> nn.Sequential:
    """Make the first layer: a 3x3 convolution from ``inner`` to ``outer`` channels, batch normalisation and PReLU."""
    return nn.Sequential(nn.Conv2d(inner, outer, 3, 1, 1, bias=False), nn.BatchNorm2d(outer), nn.PReLU(outer))


class ScaledLeakyReLU(nn.Module):
    """A leaky ReLU that keeps the scale of its input."""

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, 0.2) * math.sqrt(2)


class DistortionAlignment(Recorded, nn.Module):
    """Adaptive distortion alignment (ADA): a U-Net that aligns a distortion map to another, edited image.

    References:
        | High-Fidelity GAN Inversion for Image Attribute Editing (Wang et al., 2022), Section 3.3
        | https://arxiv.org/abs/2109.06590

    Arguments:
        image_channels: Channels C of an image.
        widths: Channels at the whole side, at a half, a quarter and an eighth of it.
    """

    def __init__(self, image_channels: int = 3, widths: Sequence[int] = (16, 32, 48, 64)) -> None:
        super().__init__()
        if len(widths) != 4:
            raise ValueError(f"encoder.alignment.widths must be four, got {list(widths)}")
        whole, half, quarter, eighth = widths
        self.conv_layer1 = stem(2 * image_channels, whole)
        self.conv_layer2 = units([whole, half, half, half], 2)
        self.conv_layer3 = units([half, quarter, quarter, quarter], 2)
        self.conv_layer4 = units([quarter, eighth, eighth, eighth], 2)
        self.dconv_layer1 = units([eighth + quarter, eighth, half, half], 1)
        self.dconv_layer2 = units([half + half, half, whole, whole], 1)
        self.dconv_layer3 = units([whole + whole, whole, image_channels, image_channels], 1)

    def forward(self, distortion: Tensor, images: Tensor) -> Tensor:
        """Align distortions to images, both :math:`(N, C, R, R)`."""
        whole = self.conv_layer1(torch.cat([distortion, images], 1))
        half = self.conv_layer2(whole)
        quarter = self.conv_layer3(half)
        x = self.dconv_layer1(enlarge_and_join(self.conv_layer4(quarter), quarter))
        return self.dconv_layer3(enlarge_and_join(self.dconv_layer2(enlarge_and_join(x, half)), whole))


def enlarge_and_join(small: Tensor, large: Tensor) -> Tensor:
    """Enlarge the smaller map to the size of the larger one, bilinearly, and stack the channels of both."""
    return torch.cat([F.interpolate(small, large.shape[2:], mode="bilinear"), large], 1)


class ConsultationEncoder(Recorded, nn.Module):
    """A network that reads from an aligned distortion the scale and shift of one convolution's output, at a quarter of
    the side.

    A new one gives 0 and 0: training begins at the inversion that it is to improve.

    References:
        | High-Fidelity GAN Inversion for Image Attribute Editing (Wang et al., 2022), Section 3.2
        | https://arxiv.org/abs/2109.06590

    Arguments:
        features: Channels F of the convolution's output.
        resolution: Pixels a side of the distortion; the convolution's output has a quarter of them.
        image_channels: Channels C of an image.
        widths: Channels at the whole side, at a half and a quarter of it.
        head_width: Channels within the two heads; None for F, as published.
    """

    def __init__(
        self,
        features: int,
        resolution: int = 256,
        image_channels: int = 3,
        widths: Sequence[int] = (32, 48, 64),
        head_width: int | None = None,
    ) -> None:
        super().__init__()
        if len(widths) != 3 or resolution < 16 or resolution & (resolution - 1):
            raise ValueError(
                "encoder.consultation.widths must be three and resolution a power of 2 from 16 on, "
                f"got {list(widths)} and {resolution}"
            )
        self.resolution, head_width = resolution, head_width or features
        self.config["head_width"] = head_width
        whole, half, quarter = widths
        self.conv_layer1 = stem(image_channels, whole)
        self.conv_layer2 = units([whole, half, half, half], 2)
        self.conv_layer3 = units([half, quarter, quarter, quarter], 2)
        for name in ("condition_scale3", "condition_shift3"):
            head = nn.Sequential(
                nn.Conv2d(quarter, head_width, 3, 1, 1), ScaledLeakyReLU(), nn.Conv2d(head_width, features, 3, 1, 1)
            )
            nn.init.zeros_(head[2].weight)
            nn.init.zeros_(head[2].bias)
            self.add_module(name, head)

    def forward(self, distortion: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scales and shifts of distortions :math:`(N, C, R, R)`, both :math:`(N, F, R / 4, R / 4)`."""
        x = self.conv_layer3(self.conv_layer2(self.conv_layer1(distortion)))
        return self.condition_scale3(x), self.condition_shift3(x)


def published_alignment(tensors: Mapping[str, Tensor]) -> dict[str, object]:
    """Return the arguments of :class:`DistortionAlignment` that fit the tensors of a published file."""
    widths = [
        len(tensors["conv_layer1.0.weight"]),
        *[len(tensors[f"conv_layer{i}.0.res_layer.3.weight"]) for i in (2, 3, 4)],
    ]
    return {"image_channels": tensors["conv_layer1.0.weight"].shape[1] // 2, "widths": widths}


def published_consultation(tensors: Mapping[str, Tensor]) -> dict[str, object]:
    """Return the arguments of :class:`ConsultationEncoder` that fit the tensors of a published file."""
    widths = [
        len(tensors["conv_layer1.0.weight"]),
        *[len(tensors[f"conv_layer{i}.0.res_layer.3.weight"]) for i in (2, 3)],
    ]
    return {
        **{
            "features": len(tensors["condition_scale3.2.bias"]),
            "image_channels": tensors["conv_layer1.0.weight"].shape[1],
        },
        **{"widths": widths, "head_width": len(tensors["condition_scale3.0.bias"])},
    }
