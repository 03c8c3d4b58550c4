"""IR-SE50: the residual trunk of ArcFace, and of the encoders that read images into latents."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Scales each channel by what all of them hold on average."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(self.fc1(self.pool(x)).relu()).sigmoid()


class Unit(nn.Module):
    """BN, conv, PReLU, strided conv, BN, squeeze and excite (unless ``reduction`` is None), plus the input: subsampled,
    or projected where the width changes."""

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
        return self.res_layer(x) + self.shortcut_layer(x)


class IRSE(nn.Module):
    """The trunk, with the names of the published files; every stage halves the image.

    References:
        | ArcFace: Additive Angular Margin Loss for Deep Face Recognition (Deng et al., 2019), Section 3.1
        | https://arxiv.org/abs/1801.07698

    Arguments:
        widths: Channels of the stages; those of the first are also the stem's.
        depths: Units of each stage; (3, 4, 14, 3) is IR-SE50.
        image_channels: Channels of an image.
        reduction: Factor by which squeeze and excite narrows.
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
        """What the units numbered ``taps`` give, in ascending order; (6, 20, 23) are the three that encoders read."""
        x, found = self.input_layer(images), []
        for i, unit in enumerate(self.body[: max(taps) + 1]):
            x = unit(x)
            if i in taps:
                found.append(x)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Images :math:`(N, C, H, W)` in [-1, 1] to features :math:`(N, F, H / 16, W / 16)`."""
        return self.body(self.input_layer(images))
