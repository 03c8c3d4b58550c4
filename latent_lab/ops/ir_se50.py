"""IR-SE50: the residual trunk of ArcFace, and of the encoders that read images into latents."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Squeeze and excite: each channel is scaled by a factor that depends on the averages of all channels.

    References:
        | Squeeze-and-Excitation Networks (Hu et al., 2018), Section 3
        | https://arxiv.org/abs/1709.01507

    Arguments:
        channels: Number of channels.
        reduction: Factor by which the hidden layer is narrower.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Scale an image :math:`(N, C, H, W)`."""
        scaled: Tensor = x * self.fc2(self.fc1(self.pool(x)).relu()).sigmoid()
        return scaled


class Unit(nn.Module):
    """Residual unit: BN, conv, PReLU, strided conv, BN, squeeze and excite, plus the input, which is subsampled, or
    projected where the width changes.

    Arguments:
        inner: Channels of the input.
        outer: Channels of the output.
        stride: Factor by which the image shrinks.
        reduction: Factor by which squeeze and excite narrows; None for a unit without it.
    """

    def __init__(self, inner: int, outer: int, stride: int, reduction: int | None) -> None:
        super().__init__()
        same = inner == outer
        self.shortcut_layer = (
            nn.MaxPool2d(1, stride)
            if same
            else nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))
        )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inner),
            nn.Conv2d(inner, outer, 3, 1, 1, bias=False),
            nn.PReLU(outer),
            nn.Conv2d(outer, outer, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outer),
            *([] if reduction is None else [SqueezeExcite(outer, reduction)]),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map :math:`(N, C, H, W)` to :math:`(N, C', H / s, W / s)` for the stride s."""
        summed: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return summed


class IRSE(nn.Module):
    """The trunk IR-SE, with the parameter names of the published files; every stage halves the image.

    References:
        | ArcFace: Additive Angular Margin Loss for Deep Face Recognition (Deng et al., 2019), Section 3.1
        | https://arxiv.org/abs/1801.07698

    Arguments:
        widths: Channels of the stages; those of the first are also the stem's.
        depths: Units of each stage; (3, 4, 14, 3) is IR-SE50.
        image_channels: Channels of an image.
        reduction: Factor by which squeeze and excite narrows.

    Example:
        >>> import torch
        >>> IRSE(widths=(8, 16, 16, 32), depths=(1, 1, 1, 1), reduction=4)(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 32, 4, 4])
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        depths: Sequence[int] = (3, 4, 14, 3),
        image_channels: int = 3,
        reduction: int = 16,
    ) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(
            nn.Conv2d(image_channels, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.PReLU(widths[0])
        )
        units, inner = [], widths[0]
        for width, depth in zip(widths, depths, strict=True):
            units += [Unit(inner if i == 0 else width, width, 2 if i == 0 else 1, reduction) for i in range(depth)]
            inner = width
        self.body = nn.Sequential(*units)

    def features(self, images: Tensor, taps: Sequence[int]) -> list[Tensor]:
        """Return the outputs of some units, in ascending order.

        Arguments:
            images: Images :math:`(N, C, H, W)` in [-1, 1].
            taps: Numbers of the units; (6, 20, 23) are the three that encoders read.
        """
        x: Tensor = self.input_layer(images)
        found = []
        for i, unit in enumerate(list(self.body)[: max(taps) + 1]):
            x = unit(x)
            if i in taps:
                found.append(x)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Map images :math:`(N, C, H, W)` in [-1, 1] to features :math:`(N, F, H / 16, W / 16)`."""
        features: Tensor = self.body(self.input_layer(images))
        return features
