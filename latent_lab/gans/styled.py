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


def noise_map(stored: Tensor, noise: Tensor | None) -> Tensor:
    """Maps :math:`(N, 1, H, W)` as they are, a share :math:`(N,)` of the stored map, or for None the whole of it."""
    if noise is None:
        return stored
    return noise if noise.ndim == 4 else noise[:, None, None, None] * stored


class Mapping(nn.Module):
    """Latents, and classes where there are any, to styles. The learning rate's multiplier is part of the weights."""

    def __init__(self, latent_dim: int, style_dim: int, classes: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Linear(classes, style_dim) if classes else None
        first = latent_dim + (style_dim if classes else 0)
        self.layers = nn.ModuleList(nn.Linear(style_dim if i else first, style_dim) for i in range(layers))
        self.register_buffer("mean", torch.zeros(style_dim))

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):  # whatever the images are made in, styles are not halved
            return self.styles(z.to(self.mean.dtype), label)

    def styles(self, z: Tensor, label: Tensor | None) -> Tensor:
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
    options = ("truncation_layers",)

    def __init__(self, latent_dim: int, style_dim: int, classes: int, mapping_layers: int, rows: int) -> None:
        super().__init__()
        if min(latent_dim, style_dim, mapping_layers) < 1 or classes < 0:
            raise ValueError(f"latent_dim, style_dim and mapping_layers must be positive, got {latent_dim}, {style_dim}, {mapping_layers}")
        self.latent_dim, self.style_dim, self.classes, self.num_rows = latent_dim, style_dim, classes, rows
        self.mapping = Mapping(latent_dim, style_dim, classes, mapping_layers)
        self.whitening: tuple[Tensor, Tensor] | None = None  # the mean and the axes of w over the prior, once they are asked for

    @abstractmethod
    def synthesise(self, w: Tensor, given: dict[str, Tensor]) -> Tensor:
        """Images of rows of styles :math:`(N, L, D)`."""

    @abstractmethod
    def row_names(self) -> list[str]:
        """Which layer each row of w+ feeds."""

    @abstractmethod
    def style_maps(self) -> list[nn.Linear]:
        """The first layer that reads each row of w+."""

    def map(self, z: Tensor, given: dict[str, Tensor]) -> Tensor:
        """Rows of styles :math:`(N, L, D)` of latents; ``given`` may hold ``label``, ``truncation`` and ``truncation_layers``, each with N first."""
        w = self.mapping(z, given.get("label"))[:, None].expand(-1, self.num_rows, -1)
        if "truncation" not in given:
            return w
        rows = torch.arange(self.num_rows, device=w.device)
        reach = given["truncation_layers"][:, None] if "truncation_layers" in given else self.num_rows
        psi = torch.where(rows < reach, given["truncation"][:, None].to(w.dtype), 1.0)
        return torch.lerp(self.mapping.mean, w, psi[:, :, None])

    def latent_shape(self, space: str) -> tuple[int, ...]:
        return {"z": (self.latent_dim,), "w": (self.style_dim,), "w+": (self.num_rows, self.style_dim)}[space]

    def latent_layers(self, space: str) -> list[str]:
        return self.row_names() if space == "w+" else []

    def first_weights(self, space: str) -> list[Tensor]:
        if space == "z":
            return [self.mapping.layers[0].weight[:, : self.latent_dim]]
        return [layer.weight for layer in self.style_maps()]

    def sample(
        self,
        space: str,
        num: int,
        rng: torch.Generator,
        truncation: float = 1.0,
        truncation_layers: int | None = None,
        noise: str = "const",
    ) -> Codes:
        if space == "w" and truncation_layers is not None:
            raise ValueError(f"truncation_layers needs space z or w+, whose layers can differ, got space 'w' and {truncation_layers}")
        device, given = self.mapping.mean.device, {}
        if self.classes:
            given["label"] = torch.randint(self.classes, (num,), generator=rng).to(device)
        z = torch.randn(num, self.latent_dim, generator=rng).to(device)
        if truncation != 1:
            given["truncation"] = torch.full((num,), truncation, device=device)
        if truncation_layers is not None:
            given["truncation_layers"] = torch.full((num,), truncation_layers, device=device)
        given |= {name: maps.to(device) for name, maps in self.noise(noise, num, rng).items()}
        with torch.no_grad():
            return self.convert(Codes(z, given), "z", space)

    def noise(self, mode: str, num: int, rng: torch.Generator) -> dict[str, Tensor]:
        """What ``given`` holds of the noise maps in a mode."""
        if mode == "none":
            return {"noise": torch.zeros(num)}
        scales = self.noise_scales() if mode == "random" else []
        return {f"noise.{i}": torch.randn(num, 1, size, size, generator=rng) * scale for i, (size, scale) in enumerate(scales)}

    def noise_scales(self) -> list[tuple[int, float]]:
        """Side and standard deviation of each noise map, in order; none in a family without noise."""
        return []

    def convert(self, codes: Codes, source: str, target: str) -> Codes:
        codes = super().convert(codes, source, target)
        if source == "z" and target != "z":
            rows = self.map(codes.latents, codes.given)
            given = {name: value for name, value in codes.given.items() if name not in ("truncation", "truncation_layers")}
            given["z"] = codes.latents  # with the label: where the mapping is differentiated
            return Codes(rows[:, 0] if target == "w" else rows, given)
        return codes.moved(codes.latents[:, None].expand(-1, self.num_rows, -1)) if (source, target) == ("w", "w+") else codes

    def decode(self, space: str, codes: Codes) -> Tensor:
        if space == "z":
            return self.synthesise(self.map(codes.latents, codes.given), codes.given)
        return self.synthesise(self.convert(codes, space, "w+").latents, codes.given)

    @torch.no_grad()
    def radius(self, space: str, latents: Tensor) -> Tensor:
        r"""In w the Mahalanobis distance :math:`\|\Sigma^{-1/2} (w - \bar w)\|` to the mapping's styles, in w+ its mean square root over the rows."""
        if space == "z":
            return super().radius(space, latents)
        if self.whitening is None:
            samples = self.sample("w", 20 * self.style_dim, torch.Generator().manual_seed(0)).latents.double()
            scales, axes = torch.linalg.eigh(samples.mT.cov())
            self.whitening = samples.mean(0), axes * (scales + 1e-6 * scales[-1]).rsqrt()
        mean, axes = (part.to(latents.device) for part in self.whitening)
        lengths = torch.linalg.vector_norm((latents.double() - mean) @ axes, dim=-1).to(latents.dtype)
        return lengths if lengths.ndim == 1 else lengths.square().mean(1).sqrt()
