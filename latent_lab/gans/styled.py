"""What the style-based families share: the mapping, the spaces z, w and w+, truncation, labels."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.gans.base import Generator
from latent_lab.gans.proggan import pixel_norm
from latent_lab.gans.space import Codes

GAIN = math.sqrt(2)  # of a leaky ReLU that keeps the scale


class Mapping(nn.Module):
    """Latents, and classes where there are any, to styles. The learning rate's multiplier is part of the weights."""

    def __init__(self, latent_dim: int, style_dim: int, classes: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Linear(classes, style_dim) if classes else None
        first = latent_dim + (style_dim if classes else 0)
        self.layers = nn.ModuleList(nn.Linear(style_dim if i else first, style_dim) for i in range(layers))
        self.register_buffer("mean", torch.zeros(style_dim))

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        x = pixel_norm(z)
        if self.embed is not None:
            shares = F.one_hot(label, self.embed.in_features).to(x.dtype) if label.ndim == 1 else label
            x = torch.cat([x, pixel_norm(self.embed(shares))], 1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2) * GAIN
        return x


class StyleGenerator(Generator):
    """A mapping and a synthesis. Spaces: ``z`` (its direction alone counts), ``w``, and ``w+`` with a row for each layer.

    Arguments:
        latent_dim, style_dim: Sizes of z, :math:`z \\sim N(0, I)`, and of w.
        classes: Number of classes; 0 for an unconditional network.
        mapping_layers: Layers of the mapping.
        rows: Rows L of w+.
    """

    spaces = ("z", "w", "w+")
    spherical = ("z",)

    def __init__(self, latent_dim: int, style_dim: int, classes: int, mapping_layers: int, rows: int) -> None:
        super().__init__()
        if min(latent_dim, style_dim, mapping_layers) < 1 or classes < 0:
            raise ValueError(f"latent_dim, style_dim and mapping_layers must be positive, got {latent_dim}, {style_dim}, {mapping_layers}")
        self.latent_dim, self.style_dim, self.classes, self.num_rows = latent_dim, style_dim, classes, rows
        self.mapping = Mapping(latent_dim, style_dim, classes, mapping_layers)

    @abstractmethod
    def synthesise(self, w: Tensor, given: dict[str, Tensor]) -> Tensor:
        """Images of rows of styles :math:`(N, L, D)`."""

    @abstractmethod
    def row_names(self) -> list[str]:
        """Which layer each row of w+ feeds."""

    def map(self, z: Tensor, given: dict[str, Tensor]) -> Tensor:
        """Rows of styles :math:`(N, L, D)` of latents; ``given`` may hold ``label``, ``truncation`` and ``truncation_rows``, each with N first."""
        w = self.mapping(z, given.get("label"))[:, None].expand(-1, self.num_rows, -1)
        if "truncation" not in given:
            return w
        rows = torch.arange(self.num_rows, device=w.device)
        reach = given["truncation_rows"][:, None] if "truncation_rows" in given else self.num_rows
        psi = torch.where(rows < reach, given["truncation"][:, None].to(w.dtype), 1.0)
        return torch.lerp(self.mapping.mean, w, psi[:, :, None])

    def latent_shape(self, space: str) -> tuple[int, ...]:
        return {"z": (self.latent_dim,), "w": (self.style_dim,), "w+": (self.num_rows, self.style_dim)}[space]

    def latent_layers(self, space: str) -> list[str]:
        return self.row_names() if space == "w+" else []

    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float = 1.0) -> Codes:
        device, given = self.mapping.mean.device, {}
        if self.classes:
            given["label"] = torch.randint(self.classes, (num,), generator=rng).to(device)
        z = torch.randn(num, self.latent_dim, generator=rng).to(device)
        if truncation != 1:
            given["truncation"] = torch.full((num,), truncation, device=device)
        if space == "z":
            return Codes(z, given)
        with torch.no_grad():
            w = self.map(z, given)
        return Codes(w[:, 0] if space == "w" else w, {})

    def decode(self, space: str, codes: Codes) -> Tensor:
        if space == "z":
            w = self.map(codes.latents, codes.given)
        else:
            w = codes.latents if space == "w+" else codes.latents[:, None].expand(-1, self.num_rows, -1)
        return self.synthesise(w, codes.given)
