"""The part that the style-based families share: the mapping, the spaces z, w, w+ and s, truncation, labels."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from types import MethodType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.errors import NotApplicable
from latent_lab.gans.base import Generator
from latent_lab.gans.codes import Codes
from latent_lab.gans.feature_edits import require_edits
from latent_lab.gans.proggan import pixel_norm

GAIN = math.sqrt(2)  # of a leaky ReLU that keeps the scale


def noise_map(stored: Tensor, noise: Tensor | None) -> Tensor:
    """Return the noise of a convolution, for broadcasting over :math:`(N, C, H, W)`.

    Arguments:
        stored: The stored map, with shape :math:`(H, W)`.
        noise: Maps :math:`(N, 1, H, W)`, which are returned; shares :math:`(N,)` of the stored map; None for the whole
            of it.
    """
    if noise is None:
        return stored
    return noise if noise.ndim == 4 else noise[:, None, None, None] * stored


class StyleLayer(NamedTuple):
    """A layer that a style modulates.

    Arguments:
        name: Its resolution and its part.
        row: The row of w+ that it reads.
        affine: Linear layer from the row to its style vector.
        features: Shape :math:`(F, h, w)` of its output, where ``given`` may change it
            (:func:`latent_lab.gans.feature_edits.apply_edits`).
        colours: True if it makes a part of the image.
    """

    name: str
    row: int
    affine: nn.Linear
    features: tuple[int, int, int] | None = None
    colours: bool = False


class Mapping(nn.Module):
    """The mapping of latents, and classes where there are any, to styles.

    The learning rate's multiplier is part of the weights (Karras et al., 2020, https://arxiv.org/abs/1912.04958).

    Arguments:
        latent_dim: Size of z.
        style_dim: Size of w.
        classes: Number of classes; 0 for an unconditional network.
        layers: Number of layers.
    """

    mean: Tensor

    def __init__(self, latent_dim: int, style_dim: int, classes: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Linear(classes, style_dim) if classes else None
        first = latent_dim + (style_dim if classes else 0)
        self.layers = nn.ModuleList(nn.Linear(style_dim if i else first, style_dim) for i in range(layers))
        self.register_buffer("mean", torch.zeros(style_dim))

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        """Return styles :math:`(N, W)` in the precision of the mean, also within autocast; see :meth:`styles`."""
        with torch.autocast(z.device.type, enabled=False):  # whatever the images are made in, styles are not halved
            return self.styles(z.to(self.mean.dtype), label)

    def styles(self, z: Tensor, label: Tensor | None) -> Tensor:
        """Return styles :math:`(N, W)`.

        Arguments:
            z: Latents, with shape :math:`(N, D)`.
            label: Classes, with shape :math:`(N,)`, or shares of C classes :math:`(N, C)`; None for an
                unconditional network.
        """
        x = pixel_norm(z)
        if self.embed is not None:
            if label is None:
                raise ValueError(f"label must be a class from 0 to {self.embed.in_features - 1}, got None")
            shares = F.one_hot(label, self.embed.in_features).to(x.dtype) if label.ndim == 1 else label
            x = torch.cat([x, pixel_norm(self.embed(shares))], 1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2) * GAIN
        return x

    def linear_layers(self) -> list[nn.Linear]:
        """Return the layers in order."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]


class StyleGenerator(Generator):
    """The base of generators of a mapping and a synthesis.

    Spaces: ``z`` (its direction alone counts), ``w``, ``w+`` with a row for each layer, and ``s``: the style vectors of
    all modulated layers, colours included, one after the other in the order of :meth:`style_layers` (StyleSpace, Wu et
    al., 2021, https://arxiv.org/abs/2011.12799). Outputs of convolutions can be edited through ``given``, see
    :func:`latent_lab.gans.feature_edits.apply_edits`.

    Arguments:
        latent_dim, style_dim: Sizes of z, :math:`z \\sim N(0, I)`, and of w.
        classes: Number of classes; 0 for an unconditional network.
        mapping_layers: Layers of the mapping.
        rows: Rows L of w+.
    """

    spaces = ("z", "w", "w+", "s")
    spherical = ("z",)
    options: tuple[str, ...] = ("truncation_layers",)

    def __init__(self, latent_dim: int, style_dim: int, classes: int, mapping_layers: int, rows: int) -> None:
        super().__init__()
        if min(latent_dim, style_dim, mapping_layers) < 1 or classes < 0:
            raise ValueError(
                f"latent_dim, style_dim and mapping_layers must be positive, got {latent_dim}, {style_dim}, "
                f"{mapping_layers}"
            )
        self.latent_dim, self.style_dim, self.classes, self.num_rows = latent_dim, style_dim, classes, rows
        self.mapping = Mapping(latent_dim, style_dim, classes, mapping_layers)
        self.moments: tuple[Tensor, Tensor, Tensor] | None = None  # of w over the prior, once they are asked for

    @abstractmethod
    def render(self, styles: Sequence[Tensor], given: dict[str, Tensor]) -> Tensor:
        """Make images of a style vector :math:`(N, C)` for each of :meth:`style_layers`."""

    @abstractmethod
    def style_layers(self) -> list[StyleLayer]:
        """Return the modulated layers in the order in which they run.

        Where several of them read a row, the last one gives it its name and weights.
        """

    def styles(self, w: Tensor) -> list[Tensor]:
        """Return the style vectors of rows :math:`(N, L, D)`."""
        return [layer.affine(w[:, layer.row]) for layer in self.style_layers()]

    def style_sizes(self) -> list[int]:
        """Return the length of each style vector, by which a latent of s is split."""
        return [layer.affine.out_features for layer in self.style_layers()]

    def feature_maps(self) -> dict[int, tuple[int, int, int]]:
        """Return the shape :math:`(F, h, w)` of each convolution's output that ``given`` may change, by the row that it
        reads."""
        return {layer.row: layer.features for layer in self.style_layers() if layer.features is not None}

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile :meth:`render`, where the work is; a module's own method compiles its call, which this one lacks.

        Arguments:
            args, kwargs: Arguments of :func:`torch.compile`.
        """
        # a copy's is bound to the copy
        made = MethodType(torch.compile(type(self).render, *args, **kwargs), self)
        self.render = made  # type: ignore[method-assign]  # the object's goes before the class's

    def synthesise(self, w: Tensor, given: dict[str, Tensor]) -> Tensor:
        """Make images of rows of styles :math:`(N, L, D)`."""
        return self.render(self.styles(w), given)

    def map(self, z: Tensor, given: dict[str, Tensor]) -> Tensor:
        """Return rows of styles :math:`(N, L, D)`.

        Arguments:
            z: Latents, with shape :math:`(N, D)`.
            given: The rest of the codes; ``label``, ``truncation`` and ``truncation_layers`` are read.
        """
        w = self.mapping(z, given.get("label"))[:, None].expand(-1, self.num_rows, -1)
        if "truncation" not in given:
            return w
        rows = torch.arange(self.num_rows, device=w.device)
        reach = given["truncation_layers"][:, None] if "truncation_layers" in given else self.num_rows
        psi = torch.where(rows < reach, given["truncation"][:, None].to(w.dtype), 1.0)
        return torch.lerp(self.mapping.mean, w, psi[:, :, None])

    def latent_shape(self, space: str) -> tuple[int, ...]:
        if space == "s":
            return (sum(self.style_sizes()),)
        return {"z": (self.latent_dim,), "w": (self.style_dim,), "w+": (self.num_rows, self.style_dim)}[space]

    def latent_layers(self, space: str) -> list[str]:
        """Return the layer that each row of w+, or each entry of s, feeds."""
        if space == "s":
            return [layer.name for layer in self.style_layers() for _ in range(layer.affine.out_features)]
        return list({layer.row: layer.name for layer in self.style_layers()}.values()) if space == "w+" else []

    def first_weights(self, space: str) -> list[Tensor]:
        if space == "z":
            return [self.mapping.linear_layers()[0].weight[:, : self.latent_dim]]
        if space == "s":
            raise NotApplicable(
                "gan.space must be z, w or w+ where the first weights are asked for, got 's', "
                "whose latents scale feature maps"
            )
        return list({layer.row: layer.affine.weight for layer in self.style_layers()}.values())

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
            raise ValueError(
                f"truncation_layers needs space z or w+, whose layers can differ, got space 'w' and {truncation_layers}"
            )
        label = torch.randint(self.classes, (num,), generator=rng) if self.classes else None
        codes = Codes(torch.randn(num, self.latent_dim, generator=rng), {} if label is None else {"label": label})
        codes = self.complete("z", codes.to(self.mapping.mean.device), rng, truncation, truncation_layers, noise)
        with torch.no_grad():
            return self.convert(codes, "z", space)

    def complete(
        self,
        space: str,
        codes: Codes,
        rng: torch.Generator | None = None,
        truncation: float = 1.0,
        truncation_layers: int | None = None,
        noise: str = "const",
    ) -> Codes:
        """Return codes with truncation and noise, see :meth:`Generator.complete`.

        z is truncated on the way through the mapping; latents of later spaces are truncated already.
        """
        codes = super().complete(space, codes)
        num, device = len(codes), codes.latents.device
        missing: dict[str, Tensor] = {}
        if space == "z" and not codes.given.keys() & {"truncation", "truncation_layers"}:
            if truncation != 1:
                missing["truncation"] = torch.full((num,), truncation, device=device)
            if truncation_layers is not None:
                missing["truncation_layers"] = torch.full((num,), truncation_layers, device=device)
        if not codes.has_noise:
            missing |= {name: maps.to(device) for name, maps in self.noise(noise, num, rng).items()}
        return codes.with_given(missing)

    def noise(self, mode: str, num: int, rng: torch.Generator | None) -> dict[str, Tensor]:
        """Return the part of ``given`` that stands for the noise.

        Arguments:
            mode: ``const``, ``none`` or ``random``, see :meth:`Generator.space`.
            num: Number N of images.
            rng: Source of random maps.
        """
        if mode == "none":
            return {"noise": torch.zeros(num)}
        if mode == "random" and rng is None:
            raise ValueError(
                "rng must be a torch.Generator where codes have no noise and the space's is random, got None"
            )
        scales = self.noise_scales() if mode == "random" else []
        return {
            f"noise.{i}": torch.randn(num, 1, size, size, generator=rng) * scale
            for i, (size, scale) in enumerate(scales)
        }

    def convert(self, codes: Codes, source: str, target: str) -> Codes:
        codes = super().convert(codes, source, target)
        if source == "z" and target != "z":
            rows = self.map(codes.latents, codes.given)
            # z stays with the label: that is where the mapping is differentiated
            codes = codes.without("truncation", "truncation_layers").with_given(z=codes.latents)
            codes = codes.moved(rows[:, 0] if target == "w" else rows)
        elif source == "w" and target != "w":
            codes = codes.moved(codes.latents[:, None].expand(-1, self.num_rows, -1))
        return codes.moved(torch.cat(self.styles(codes.latents), 1)) if target == "s" != source else codes

    def decode(self, space: str, codes: Codes) -> Tensor:
        require_edits(codes.given, len(codes), self.feature_maps())
        if space == "s":
            return self.render(codes.latents.split(self.style_sizes(), 1), codes.given)
        if space == "z":
            return self.synthesise(self.map(codes.latents, codes.given), codes.given)
        return self.synthesise(self.convert(codes, space, "w+").latents, codes.given)

    @torch.no_grad()
    def radius(self, space: str, latents: Tensor) -> Tensor:
        r"""Return the distance from the mean of the mapping's styles, with shape :math:`(N,)`.

        In w the Mahalanobis distance :math:`\|\Sigma^{-1/2} (w - \bar w)\|`, in w+ its mean square root over the rows.
        In s, where styles fill few of the dimensions, each entry counts in its own standard deviation:
        :math:`\|(s - \bar s) / \sigma\|` with :math:`\sigma^2 = \operatorname{diag}(A \Sigma A^\top)` of the affine
        maps A.
        """
        if space == "z":
            return super().radius(space, latents)
        if self.moments is None:
            samples = self.sample("w", 20 * self.style_dim, torch.Generator().manual_seed(0)).latents.double()
            self.moments = samples.mean(0), *torch.linalg.eigh(samples.mT.cov())
        mean, scales, axes = (part.to(latents.device) for part in self.moments)
        if space == "s":
            affines = [layer.affine for layer in self.style_layers()]
            weight, bias = (
                torch.cat([affine.weight for affine in affines]).double(),
                torch.cat([affine.bias for affine in affines]),
            )
            deviations = torch.linalg.vector_norm(weight @ (axes * scales.clamp_min(0).sqrt()), dim=1)
            moved = (latents.double() - (weight @ mean + bias)) / deviations.clamp_min(1e-6 * deviations.max())
            return torch.linalg.vector_norm(moved, dim=1).to(latents.dtype)
        axes = axes * (scales + 1e-6 * scales[-1]).rsqrt()
        lengths = torch.linalg.vector_norm((latents.double() - mean) @ axes, dim=-1).to(latents.dtype)
        return lengths if lengths.ndim == 1 else lengths.square().mean(1).sqrt()
