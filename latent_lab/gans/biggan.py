"""BigGAN: a class and a slice of the latent modulate every block."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.gans.base import Generator
from latent_lab.gans.codes import Codes
from latent_lab.gans.conditional import draw_codes


class Modulation(nn.Module):
    r"""Batch normalisation with stored statistics, then :math:`x (1 + \text{gain}(y)) + \text{bias}(y)`.

    Arguments:
        channels: Channels of x.
        condition: Size of the condition y.
        eps: Added to the variances.
    """

    mean: Tensor
    var: Tensor

    def __init__(self, channels: int, condition: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("var", torch.ones(channels))
        self.gain, self.bias = (nn.Linear(condition, channels, bias=False) for _ in range(2))
        self.eps = eps

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        scale = (1 + self.gain(y)) * (self.var + self.eps).rsqrt()  # the normalisation folded into O(N C) numbers
        shift = self.bias(y) - self.mean * scale
        return x * scale[:, :, None, None] + shift[:, :, None, None]


class Attention(nn.Module):
    """Self-attention with keys and values that are pooled 2x2.

    Arguments:
        channels: Channels of the input, a multiple of 8.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.key = (nn.Conv2d(channels, channels // 8, 1, bias=False) for _ in range(2))
        self.value = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.out = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).flatten(2).mT
        key, value = (F.max_pool2d(part(x), 2).flatten(2).mT for part in (self.key, self.value))
        found = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        return x + self.gamma * self.out(found.mT.unflatten(2, x.shape[2:]))


class Block(nn.Module):
    """Modulate, ReLU, x2, conv, modulate, ReLU, conv, plus the upsampled input through a 1x1 convolution.

    Arguments:
        inner: Channels of the input.
        outer: Channels of the output.
        condition: Size of the condition.
    """

    def __init__(self, inner: int, outer: int, condition: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = Modulation(inner, condition), Modulation(outer, condition)
        self.conv1, self.conv2 = nn.Conv2d(inner, outer, 3, padding=1), nn.Conv2d(outer, outer, 3, padding=1)
        self.bypass = nn.Conv2d(inner, outer, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = self.conv1(F.interpolate(self.norm1(x, y).relu(), scale_factor=2))
        # the 1x1 convolution before the upsampling gives the same numbers for a quarter of the work
        return self.conv2(self.norm2(h, y).relu()) + F.interpolate(self.bypass(x), scale_factor=2)


class BigGAN(Generator):
    r"""Class-conditional generator; spectral normalisation is folded into the weights.

    The latent is cut into equal slices, the first for the 4x4 image, one for each block, where it joins the class's
    embedding.

    References:
        | Large Scale GAN Training for High Fidelity Natural Image Synthesis (Brock et al., 2019), Appendix B
        | https://arxiv.org/abs/1809.11096

    Arguments:
        latent_dim: Size D of a latent, a multiple of the number of blocks plus one.
        classes: Number of classes.
        embedding: Size of a class's embedding.
        widths: Channels at 4x4 and after each block, which doubles the size.
        attention: Index of the block that self-attention follows; None for none.
        labels: Classes to sample from; None for all.

    Example:
        >>> gan = BigGAN(latent_dim=6, classes=3, embedding=4, widths=[16, 8, 8], attention=None)
        >>> gan.space().decode(gan.space().codes(torch.zeros(2, 6), label=[0, 2])).shape
        torch.Size([2, 3, 16, 16])
    """

    spaces = ("z",)
    channels = 3

    def __init__(
        self,
        latent_dim: int = 120,
        classes: int = 1000,
        embedding: int = 128,
        widths: Sequence[int] = (1536, 1536, 768, 384, 192, 96),
        attention: int | None = 3,
        labels: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        widths = list(widths)
        if len(widths) < 2 or latent_dim % len(widths):
            raise ValueError(f"latent_dim must be a multiple of the number of widths, got {latent_dim} and {widths}")
        self.classes = classes
        self.labels: Sequence[int] = range(classes) if labels is None else list(labels)
        self.resolution, self.latent_dim = 4 * 2 ** (len(widths) - 1), latent_dim
        part = latent_dim // len(widths)
        self.embed = nn.Embedding(classes, embedding)
        self.linear = nn.Linear(part, 16 * widths[0])
        self.blocks = nn.ModuleList(Block(inner, outer, embedding + part) for inner, outer in zip(widths, widths[1:]))
        self.attention = nn.ModuleDict({} if attention is None else {str(attention): Attention(widths[attention + 1])})
        self.norm = nn.BatchNorm2d(widths[-1])
        self.conv = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """Make images of latents :math:`(N, D)` and classes :math:`(N,)`."""
        first, *parts = z.chunk(len(self.blocks) + 1, 1)
        x = self.linear(first).unflatten(1, (-1, 4, 4)).contiguous(memory_format=torch.channels_last)
        condition = self.embed(label)
        for i, (block, part) in enumerate(zip(self.blocks, parts)):
            x = block(x, torch.cat([condition, part], 1))
            if str(i) in self.attention:
                x = self.attention[str(i)](x)
        return self.conv(self.norm(x).relu()).tanh()

    def latent_shape(self, space: str) -> tuple[int, ...]:
        return (self.latent_dim,)

    def first_weights(self, space: str) -> list[Tensor]:
        part = self.latent_dim // (len(self.blocks) + 1)
        blocks = [block for block in self.blocks if isinstance(block, Block)]
        norms = [[layer.weight for norm in (b.norm1, b.norm2) for layer in (norm.gain, norm.bias)] for b in blocks]
        own = [self.linear.weight, *[torch.cat(weights)[:, -part:] for weights in norms]]
        return [F.pad(weight, (i * part, self.latent_dim - (i + 1) * part)) for i, weight in enumerate(own)]

    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float = 1.0) -> Codes:
        return draw_codes(self.labels, self.latent_dim, num, rng, truncation, self.linear.weight.device)

    def decode(self, space: str, codes: Codes) -> Tensor:
        return self(codes.latents, codes.given["label"])
