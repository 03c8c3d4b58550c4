"""StyleFusion's network: the style vectors of two images become those of one image, each region from its own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.checkpoints.fusion_files import read_fusion
from latent_lab.checkpoints.rebuild import rebuild
from latent_lab.gans.styled import GAIN, StyleGenerator
from latent_lab.ops.recorded import Recorded

REPEATS = 10  # of each layer's tag, as published


class StyleLayout(NamedTuple):
    """The places of the K style vectors in a latent of s, and the layers that they feed.

    Arguments:
        source: The entry of s that each entry of a vector of the network's width is taken from, with shape :math:`(K,
            W)`.
        numbers: Number of each layer, with shape :math:`(K,)`: layers that make colours are counted among themselves.
        colours: True for each layer that makes colours, with shape :math:`(K,)`.
        size: Length S of a latent.
    """

    source: Tensor
    numbers: Tensor
    colours: Tensor
    size: int

    def spread(self, styles: Tensor) -> Tensor:
        """Arrange latents :math:`(N, S)` as vectors of equal width :math:`(N, K, W)`, the shorter ones with repeated
        entries."""
        return styles[:, self.source]

    def pool(self, vectors: Tensor) -> Tensor:
        """Turn vectors :math:`(N, K, W)` back into latents :math:`(N, S)`, by the largest value among the repetitions
        of an entry."""
        index = self.source.flatten().expand(len(vectors), -1)
        return vectors.new_zeros(len(vectors), self.size).scatter_reduce(
            1, index, vectors.flatten(1), "amax", include_self=False
        )


def layout(
    sizes: list[int], numbers: list[int], colours: list[bool], width: int, device: torch.device | None = None
) -> StyleLayout:
    """Return the layout of vectors of these sizes, at most ``width`` each."""
    if max(sizes) > width:
        raise ValueError(
            f"a fusion network of width {width} takes style vectors of at most {width} entries, got {max(sizes)}"
        )
    entries = torch.arange(width, device=device)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    source = torch.stack([start + entries * size // width for start, size in zip(starts, sizes)])
    return StyleLayout(source, torch.tensor(numbers, device=device), torch.tensor(colours, device=device), sum(sizes))


def layout_of(generator: StyleGenerator, width: int) -> StyleLayout:
    """Return the layout of a generator's latents of s. Colours read every second row, so that their number is half of
    it."""
    parts = generator.style_layers()
    numbers = [part.row // 2 if part.colours else part.row for part in parts]
    return layout(
        generator.style_sizes(), numbers, [part.colours for part in parts], width, generator.mapping.mean.device
    )


class LatentBlender(nn.Module):
    r"""A gate between two vectors: :math:`a + q (b - a)`, :math:`q \in (0, 1)^W` from both, a context and the layer's
    tag.

    Arguments:
        inputs: Numbers that it sees.
        width: Length W of a vector.
        hidden: Width of its three hidden layers.
    """

    def __init__(self, inputs: int, width: int, hidden: int) -> None:
        super().__init__()
        sizes = [inputs, hidden, hidden, hidden, width, width]
        self.layers = nn.ModuleList(nn.Linear(one, other) for one, other in zip(sizes, sizes[1:]))
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, a: Tensor, b: Tensor, *seen: Tensor) -> Tensor:
        q = torch.cat([a, b, *seen], -1)
        for layer in self.layers:
            q = F.leaky_relu(layer(q), 0.2) * GAIN  # the last one too, as published
        return a + q.sigmoid() * (b - a)


class FusionNet(Recorded, nn.Module):
    r"""Two blenders: the common one gives both images the coarse styles (pose, shape) of a third, the other one puts
    their regions together.

    .. math:: a' = B_c(a, c), \quad b' = B_c(b, c), \quad s = B_s(a', b' \mid c)

    in the first ``common_layers`` layers; in the others :math:`s = B_s(a, b \mid 0)`. Every layer is blended by the
    same networks, which see its tag. Images are independent of their batch.

    References:
        | StyleFusion: A Generative Model for Disentangling Spatial Segments (Kafri et al., 2021), Section 3
        | https://arxiv.org/abs/2107.07437

    Arguments:
        width: Longest style vector W.
        hidden: Width of the blenders' hidden layers; 5 W as published.
        layers: Layers that can be told apart, colours counted among themselves; 18 as published.
        common_layers: Layers of either kind, from the first, that the common blender aligns.
    """

    def __init__(self, width: int = 512, hidden: int = 2560, layers: int = 18, common_layers: int = 5) -> None:
        super().__init__()
        if min(width, hidden, layers) < 1 or not 0 <= common_layers <= layers:
            raise ValueError(
                f"width, hidden and layers must be positive, common_layers 0 to {layers}, got {width}, {hidden}, "
                f"{common_layers}"
            )
        self.width, self.common_layers = width, common_layers
        tag = (layers + 1) * REPEATS
        self.segments = LatentBlender(3 * width + tag, width, hidden)
        self.common = LatentBlender(2 * width + tag, width, hidden)

    @classmethod
    def load(cls, file: str | Path) -> FusionNet:
        """Read the network of a file, frozen, with the sizes that the file gives."""
        config, tensors = read_fusion(file)
        return rebuild(lambda: cls(**config), tensors, file)

    def tags(self, places: StyleLayout, num: int, colours: bool) -> Tensor:
        """Return the one-hot numbers of the layers, :math:`(N, K, T)`. ``colours`` marks the layers that make colours
        too."""
        layers = self.config["layers"]
        if places.numbers.max() >= layers:
            raise ValueError(
                f"network.layers of the fusion network is {layers}, got a generator with "
                f"{int(places.numbers.max()) + 1}"
            )
        tags = F.one_hot(places.numbers, layers + 1).to(self.common.layers[0].weight.dtype)
        if colours:
            tags[places.colours, -1] = 1
        return tags.repeat(1, REPEATS).expand(num, -1, -1)

    def forward(self, one: Tensor, other: Tensor, common: Tensor | None, places: StyleLayout) -> Tensor:
        """Return latents of s with the first region from ``one`` and the second from ``other``, aligned to ``common``
        unless it is None; all :math:`(N, S)`."""
        a, b, tags = places.spread(one), places.spread(other), self.tags(places, len(one), colours=False)
        context = torch.zeros_like(a)
        if common is not None:
            coarse, c = (places.numbers < self.common_layers)[:, None], places.spread(common)
            a, b = (torch.where(coarse, self.common(x, c, tags), x) for x in (a, b))
            context = torch.where(coarse, c, context)
        return places.pool(self.segments(a, b, context, tags))

    def align(self, one: Tensor, common: Tensor, places: StyleLayout) -> Tensor:
        """Return latents of s of ``one`` with the coarse styles of ``common``; both :math:`(N, S)`. The layers' tags
        mark colours here, as published."""
        a, c = places.spread(one), places.spread(common)
        coarse = (places.numbers < self.common_layers)[:, None]
        return places.pool(torch.where(coarse, self.common(a, c, self.tags(places, len(one), colours=True)), a))
