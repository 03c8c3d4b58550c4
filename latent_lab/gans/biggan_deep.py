"""BigGAN-deep: bottleneck blocks, the whole condition everywhere, statistics for each truncation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.gans.base import Generator
from latent_lab.gans.biggan import Attention
from latent_lab.gans.codes import Codes
from latent_lab.gans.conditional import draw_codes


def statistics_at(table: Tensor, truncation: Tensor) -> Tensor:
    """Look up statistics for truncations, with shape :math:`(N, C)`.

    Arguments:
        table: Rows for the truncations 0, ..., 1, with shape :math:`(R, C)`.
        truncation: Truncations in [0, 1], with shape :math:`(N,)`.

    Between two rows the published network blends with the weights exchanged (the nearer row gets the smaller one); its
    weights know no other blend.
    """
    position = truncation.double() / (1.0 / (len(table) - 1))
    index = position.floor().long()
    share = (position - index).to(table.dtype)[:, None]
    after = table[(index + 1).clamp_max(len(table) - 1)]
    return torch.where(share == 0, table[index], table[index] * share + after * (1 - share))


class TruncatedNorm(nn.Module):
    """Batch normalisation with the statistics of a truncation, then an affine map that depends on the condition.

    Arguments:
        channels: Channels of the input.
        condition: Size of the condition.
        rows: Number of truncations 0, ..., 1 with statistics.
        eps: Added to the variances.
    """

    means: Tensor
    vars: Tensor

    def __init__(self, channels: int, condition: int, rows: int, eps: float) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(rows, channels))
        self.register_buffer("vars", torch.ones(rows, channels))
        self.scale, self.offset = (nn.Linear(condition, channels, bias=False) for _ in range(2))
        self.eps = eps

    def forward(self, x: Tensor, condition: Tensor, truncation: Tensor) -> Tensor:
        mean, var = statistics_at(self.means, truncation), statistics_at(self.vars, truncation)
        scale = (1 + self.scale(condition)) * (var + self.eps).rsqrt()
        return x * scale[:, :, None, None] + (self.offset(condition) - mean * scale)[:, :, None, None]


class Bottleneck(nn.Module):
    """Convolutions of 1x1, 3x3, 3x3 and 1x1 at a quarter of the width; the skip drops channels and is upsampled.

    Arguments:
        inner: Channels of the input.
        outer: Channels of the output.
        up: True to double the size.
        condition: Size of the condition.
        rows: Number of truncations 0, ..., 1 with statistics.
        eps: Added to the variances.
    """

    def __init__(self, inner: int, outer: int, up: bool, condition: int, rows: int, eps: float) -> None:
        super().__init__()
        middle = inner // 4
        sizes = [(inner, middle, 1), (middle, middle, 3), (middle, middle, 3), (middle, outer, 1)]
        self.norms = nn.ModuleList(TruncatedNorm(width, condition, rows, eps) for width, _, _ in sizes)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, size, padding=size // 2) for a, b, size in sizes)
        self.up, self.outer = up, outer

    def forward(self, x: Tensor, condition: Tensor, truncation: Tensor) -> Tensor:
        h = x
        for i, (norm, conv) in enumerate(zip(self.norms, self.convs)):
            h = norm(h, condition, truncation).relu()
            if i == 1 and self.up:
                h = F.interpolate(h, scale_factor=2)
            h = conv(h)
        x = x[:, : self.outer]
        return h + (F.interpolate(x, scale_factor=2) if self.up else x)


class BigGANDeep(Generator):
    r"""Class-conditional generator with bottleneck blocks; spectral normalisation is folded into the weights.

    References:
        | Large Scale GAN Training for High Fidelity Natural Image Synthesis (Brock et al., 2019), Appendix B
        | https://arxiv.org/abs/1809.11096

    Arguments:
        latent_dim: Size D of a latent.
        classes: Number of classes.
        embedding: Size of a class's embedding.
        width: Channels of the last block.
        layers: For each block True where it doubles the size, and the factors of ``width`` before and after it.
        attention: Number of blocks before self-attention.
        rows: Number of truncations 0, ..., 1 with statistics.
        eps: Added to the variances of the normalisations.
        labels: Classes to sample from; None for all.

    Example:
        >>> layers = [(False, 2, 2), (True, 2, 1)]
        >>> generator = BigGANDeep(latent_dim=4, classes=10, embedding=4, width=8, layers=layers, attention=1, rows=51)
        >>> space = generator.space(truncation=0.4)
        >>> codes = space.codes(torch.zeros(2, 4), label=torch.tensor([1, 7]))
        >>> space.decode(codes).shape
        torch.Size([2, 3, 8, 8])
    """

    means: Tensor
    vars: Tensor

    spaces = ("z",)
    channels = 3

    def __init__(
        self,
        latent_dim: int = 128,
        classes: int = 1000,
        embedding: int = 128,
        width: int = 128,
        layers: Sequence[tuple[bool, int, int]] = (
            *[(False, 16, 16), (True, 16, 16), (False, 16, 16), (True, 16, 8), (False, 8, 8)],
            *[(True, 8, 4), (False, 4, 4), (True, 4, 2), (False, 2, 2), (True, 2, 1)],
        ),
        attention: int = 8,
        rows: int = 51,
        eps: float = 1e-4,
        labels: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        layers = [(bool(up), int(inner), int(outer)) for up, inner, outer in layers]
        self.config["layers"] = [list(layer) for layer in layers]
        if not layers or not 0 < attention <= len(layers):
            raise ValueError(f"attention must be from 1 to the number of layers, got {attention} and {len(layers)}")
        self.classes = classes
        self.labels: Sequence[int] = range(classes) if labels is None else list(labels)
        self.resolution, self.latent_dim = 4 * 2 ** sum(up for up, _, _ in layers), latent_dim
        condition = latent_dim + embedding
        self.embed = nn.Embedding(classes, embedding)
        self.linear = nn.Linear(condition, 16 * layers[0][1] * width)
        self.blocks = nn.ModuleList(
            Bottleneck(inner * width, outer * width, up, condition, rows, eps) for up, inner, outer in layers
        )
        self.before_attention = attention
        self.attention = Attention(layers[attention - 1][2] * width)
        self.register_buffer("means", torch.zeros(rows, layers[-1][2] * width))
        self.register_buffer("vars", torch.ones(rows, layers[-1][2] * width))
        self.gain, self.bias = (nn.Parameter(torch.ones(layers[-1][2] * width)) for _ in range(2))
        self.conv = nn.Conv2d(layers[-1][2] * width, 3, 3, padding=1)
        self.eps = eps

    def forward(self, z: Tensor, label: Tensor, truncation: Tensor) -> Tensor:
        """Make images.

        Arguments:
            z: Latents, with shape :math:`(N, D)`.
            label: Classes, with shape :math:`(N,)`, or shares of C classes :math:`(N, C)`.
            truncation: Truncations in [0, 1], with shape :math:`(N,)`, which choose the statistics.
        """
        condition = torch.cat([z, self.embed(label) if label.ndim == 1 else label @ self.embed.weight], 1)
        x = self.linear(condition).unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)  # channels last, as it is stored
        for i, block in enumerate(self.blocks, 1):
            x = block(x, condition, truncation)
            if i == self.before_attention:
                x = self.attention(x)
        scale = self.gain * (statistics_at(self.vars, truncation) + self.eps).rsqrt()
        shift = self.bias - statistics_at(self.means, truncation) * scale
        return self.conv((x * scale[:, :, None, None] + shift[:, :, None, None]).relu()).tanh()

    def latent_shape(self, space: str) -> tuple[int, ...]:
        return (self.latent_dim,)

    def first_weights(self, space: str) -> list[Tensor]:
        blocks = [block for block in self.blocks if isinstance(block, Bottleneck)]
        norms = [[norm for norm in block.norms if isinstance(norm, TruncatedNorm)] for block in blocks]
        weights = [[part.weight for norm in some for part in (norm.scale, norm.offset)] for some in norms]
        return [torch.cat(some)[:, : self.latent_dim] for some in ([self.linear.weight], *weights)]

    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float = 1.0) -> Codes:
        return self.complete(
            space,
            draw_codes(self.labels, self.latent_dim, num, rng, truncation, self.linear.weight.device),
            truncation=truncation,
        )

    def complete(
        self,
        space: str,
        codes: Codes,
        rng: torch.Generator | None = None,
        truncation: float = 1.0,
        truncation_layers: int | None = None,
        noise: str = "const",
    ) -> Codes:
        """Return codes with a truncation, which chooses the statistics of the normalisations; see
        :meth:`Generator.complete`."""
        codes = super().complete(space, codes)
        if "truncation" in codes.given:
            return codes
        chosen = torch.full((len(codes),), truncation, dtype=torch.float64, device=codes.latents.device)
        return codes.with_given(truncation=chosen)

    def decode(self, space: str, codes: Codes) -> Tensor:
        return self(codes.latents, codes.given["label"], codes.given["truncation"])
