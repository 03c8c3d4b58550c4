"""The network of pSp and e4e: an IR-SE trunk, a pyramid of three maps, and a small head for each style."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.checkpoints.limits import parse_number
from latent_lab.ops.ir_se50 import IRSE


def resize(images: Tensor, side: int) -> Tensor:
    """Resize images :math:`(N, C, H, W)` to ``side`` x ``side`` pixels, bilinearly, with averaging where they shrink.
    Every encoder sees its images this way."""
    if images.shape[2:] == (side, side):
        return images
    return F.interpolate(images, (side, side), mode="bilinear", antialias=True)


class StyleHead(nn.Module):
    """A head that maps features to one style: convolutions halve the side down to one pixel (pSp's map2style), then
    comes a linear layer."""

    def __init__(self, inner: int, width: int, style_dim: int, halvings: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(halvings):
            layers += [nn.Conv2d(width if i else inner, width, 3, 2, 1), nn.LeakyReLU(0.01)]
        self.convs, self.linear = nn.Sequential(*layers), nn.Linear(width, style_dim)
        nn.init.normal_(self.linear.weight, std=width**-0.5)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.convs(x).flatten(1))


class StyleEncoder(IRSE):
    r"""A network that maps images to offsets of every row of w+ from the mean style. Its parameters have the names of
    the published files.

    Rows are read from the trunk's last three maps: coarse ones from the smallest, the others from maps to which the
    smaller ones are added. pSp reads each row by itself; e4e reads the first, and for the others what they differ from
    it by, :math:`w_i = w_0 + \Delta_i`.

    References:
        | Encoding in Style: a StyleGAN Encoder for Image-to-Image Translation (Richardson et al., 2021), Section 3
        | https://arxiv.org/abs/2008.00951
        | Designing an Encoder for StyleGAN Image Manipulation (Tov et al., 2021), Section 4.1
        | https://arxiv.org/abs/2102.02766

    Arguments:
        rows, style_dim: Rows L and size D of a latent of w+.
        resolution: Pixels a side of the images that it is shown, a power of 2 from 32 on.
        image_channels: Channels of its input: those of an image, or twice as many for ReStyle's, which see what they
            have reached as well.
        coarse, middle: Numbers of the rows at which those of the smallest map and of the second end; ReStyle's encoder
            reads all L from the smallest.
        deltas: None for pSp; for e4e how many of the L - 1 differences are in use, the other rows repeat the first.
        head_width: Channels of the heads; None for D, as published.
        widths, depths, reduction: Options of the trunk, see :class:`IRSE`; four stages.
    """

    def __init__(
        self,
        rows: int,
        style_dim: int,
        resolution: int = 256,
        image_channels: int = 3,
        coarse: int = 3,
        middle: int = 7,
        deltas: int | None = None,
        head_width: int | None = None,
        widths: Sequence[int] = (64, 128, 256, 512),
        depths: Sequence[int] = (3, 4, 14, 3),
        reduction: int = 16,
    ) -> None:
        widths, depths = list(widths), list(depths)
        if resolution < 32 or resolution & (resolution - 1):
            raise ValueError(f"encoder.network.resolution must be a power of 2 from 32 on, got {resolution}")
        if len(widths) != 4 or len(depths) != 4 or min(depths) < 1 or min(widths) < reduction:
            raise ValueError(
                f"encoder.network.widths and depths must be four each, widths at least the reduction {reduction}, "
                f"got {widths} and {depths}"
            )
        if deltas is not None and not 0 <= deltas < rows:
            raise ValueError(f"encoder.network.deltas must be null or from 0 to {rows - 1}, got {deltas}")
        super().__init__(widths, depths, image_channels, reduction)
        self.rows, self.style_dim, self.resolution, self.image_channels, self.deltas = (
            rows,
            style_dim,
            resolution,
            image_channels,
            deltas,
        )
        self.coarse, self.middle, self.head_width = (
            min(coarse, rows),
            min(max(coarse, middle), rows),
            head_width or style_dim,
        )
        self.sizes = {"widths": widths, "depths": depths, "reduction": reduction}
        self.taps = [count - 1 for count in accumulate(depths)][1:]
        if rows > self.coarse:
            self.latlayer1 = nn.Conv2d(widths[2], widths[3], 1)
        if rows > self.middle:
            self.latlayer2 = nn.Conv2d(widths[1], widths[3], 1)
        smallest = (resolution // 16).bit_length() - 1  # halvings of the smallest map
        self.styles = nn.ModuleList(
            StyleHead(widths[3], self.head_width, style_dim, smallest + (i >= self.coarse) + (i >= self.middle))
            for i in range(rows)
        )

    @property
    def config(self) -> dict[str, object]:
        """The arguments that rebuild the network as it is now."""
        names = ("rows", "style_dim", "resolution", "image_channels", "coarse", "middle", "deltas", "head_width")
        return {name: getattr(self, name) for name in names} | self.sizes

    def forward(self, images: Tensor) -> Tensor:
        """Return offsets :math:`(N, L, D)` of images :math:`(N, C, R, R)` in [-1, 1]."""
        needed = self.rows if self.deltas is None else 1 + self.deltas
        large, medium, small = self.features(images, self.taps)
        maps = [small] * self.coarse
        if needed > self.coarse:
            small = enlarge_and_add(small, self.latlayer1(medium))
            maps += [small] * (self.middle - self.coarse)
        if needed > self.middle:
            maps += [enlarge_and_add(small, self.latlayer2(large))] * (self.rows - self.middle)
        found = torch.stack([head(x) for head, x in zip(self.styles[:needed], maps)], 1)
        if self.deltas is None:
            return found
        first = found[:, :1]
        return torch.cat([first, first + found[:, 1:], first.expand(-1, self.rows - needed, -1)], 1)


def enlarge_and_add(small: Tensor, large: Tensor) -> Tensor:
    """Enlarge the smaller map to the size of the larger one, bilinearly, and add both."""
    return large + F.interpolate(small, large.shape[2:], mode="bilinear", align_corners=True)


def published_sizes(tensors: Mapping[str, Tensor]) -> dict[str, object]:
    """Return the arguments of :class:`StyleEncoder` that fit the tensors of a published file, all but ``deltas``, which
    no shape tells."""
    outer = [
        len(tensors[f"body.{i}.res_layer.3.weight"])
        for i in range(1 + max(place(name) for name in tensors if name.startswith("body.")))
    ]
    widths = list(dict.fromkeys(outer))
    rows = 1 + max(place(name) for name in tensors if name.startswith("styles."))
    # all of them are there, or the last one's number says nothing
    heads = [tensors[f"styles.{i}.linear.weight"] for i in range(rows)]
    convs = Counter(
        place(name) for name in tensors if name.startswith("styles.") and ".convs." in name and name.endswith("weight")
    )
    halvings, head = [convs[i] for i in range(rows)], heads[0]
    return {
        **{"rows": rows, "style_dim": head.shape[0], "head_width": head.shape[1], "resolution": 16 * 2 ** halvings[0]},
        **{
            "image_channels": tensors["input_layer.0.weight"].shape[1],
            "widths": widths,
            "depths": [outer.count(width) for width in widths],
        },
        **{"coarse": halvings.count(halvings[0]), "middle": sum(count <= halvings[0] + 1 for count in halvings)},
        "reduction": outer[0] // len(tensors["body.0.res_layer.5.fc1.weight"]),
    }


def place(name: str) -> int:
    """Return the number in the name of a tensor of a sequence."""
    return parse_number(name.split(".")[1])
