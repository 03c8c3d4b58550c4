"""A generator whose truth is known: an ellipse on a ground, drawn from factors that are a mixture of the latent."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from latent_lab.gans.base import Generator
from latent_lab.gans.codes import Codes


class Shapes(Generator):
    r"""Anti-aliased ellipses with seven known factors; there is nothing to train and nothing to load.

    The latent :math:`z \sim N(0, I)` becomes independent factors :math:`u \sim N(0, I)` by a rotation, and then by
    rotations of pairs of coordinates whose angle depends on the radius,

    .. math:: u = R(\theta(\|z\|))\, Q z, \qquad \theta_i(r) = \pm\, \text{mixing} \cdot \tfrac{\pi}{2} (r - \sqrt{D}),

    which keep every sphere and volumes on it, and so the prior. The radius has a standard deviation of about 0.7:
    mixing 1 turns the factors of one latent against those of the next by some 60 degrees, mixing 0 leaves one rotation.
    Factor i is drawn with the strength ``ratio`` :math:`^{-i}`, so that a linear method finds a spectrum.

    Arguments:
        mixing: Strength with which the factors are curved in the latent, at least 0.
        ratio: Strength of a factor over that of the next, at least 1.
        resolution: Pixels of a side.

    Example:
        >>> gan, z = Shapes(), torch.ones(1, 7)
        >>> torch.allclose(gan.latents(gan.factors(z)), z, atol=1e-5)
        True
    """

    rotation: Tensor
    strengths: Tensor
    pixels: Tensor

    spaces, channels = ("z",), 3
    factor_names = ("x", "y", "hue", "rotation", "background", "size", "aspect")

    def __init__(self, mixing: float = 0.5, ratio: float = 1.3, resolution: int = 32) -> None:
        super().__init__()
        if mixing < 0 or ratio < 1 or resolution < 4:
            raise ValueError(
                f"mixing must be at least 0, ratio at least 1, resolution at least 4, got {mixing}, {ratio}, "
                f"{resolution}"
            )
        if resolution > 4096:
            raise ValueError(f"resolution must be at most 4096, got {resolution}")
        self.mixing, self.resolution = mixing, resolution
        dim = len(self.factor_names)
        rotation, triangle = torch.linalg.qr(
            torch.randn(dim, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        )
        self.register_buffer("rotation", (rotation * triangle.diag().sign()).float())
        self.register_buffer("strengths", ratio ** -torch.arange(dim, dtype=torch.float32))
        pixels = (torch.arange(resolution) + 0.5) * (2 / resolution) - 1
        self.register_buffer("pixels", pixels, persistent=False)

    def factors(self, latents: Tensor) -> Tensor:
        """Return the true factors u, each of standard deviation 1 over the prior, with shape :math:`(N, 7)`."""
        u = latents @ self.rotation.to(latents).mT
        angle = self.mixing * math.pi / 2 * (torch.linalg.vector_norm(latents, dim=1) - latents.shape[1] ** 0.5)
        signs = torch.tensor([1.0, -1.0, 1.0], dtype=u.dtype, device=u.device)
        cos, sin = torch.cos(angle)[:, None], torch.sin(angle)[:, None] * signs
        # strong factors mix with weak ones: 0 with 3, 1 with 4, 2 with 5; the last stays
        first, second, rest = u[:, :3], u[:, 3:6], u[:, 6:]
        return torch.cat([cos * first - sin * second, sin * first + cos * second, rest], 1)

    def latents(self, factors: Tensor) -> Tensor:
        """Return the latents of factors :math:`(N, 7)`, the inverse of :meth:`factors`."""
        angle = self.mixing * math.pi / 2 * (torch.linalg.vector_norm(factors, dim=1) - factors.shape[1] ** 0.5)
        signs = torch.tensor([1.0, -1.0, 1.0], dtype=factors.dtype, device=factors.device)
        cos, sin = torch.cos(angle)[:, None], torch.sin(angle)[:, None] * signs
        first, second, rest = factors[:, :3], factors[:, 3:6], factors[:, 6:]
        return torch.cat([cos * first + sin * second, cos * second - sin * first, rest], 1) @ self.rotation.to(factors)

    def render(self, factors: Tensor) -> Tensor:
        """Draw images :math:`(N, 3, H, W)` in [-1, 1] of factors :math:`(N, 7)`; x grows to the right, y downwards."""
        x, y, hue, rotation, background, size, aspect = torch.tanh(self.strengths.to(factors) * factors).unbind(1)
        cos, sin = torch.cos(0.6 * rotation)[:, None, None], torch.sin(0.6 * rotation)[:, None, None]
        dx = (self.pixels - 0.5 * x[:, None])[:, None, :]
        dy = (self.pixels - 0.5 * y[:, None])[:, :, None]
        # half axes; always longer than wide, so that a rotation is always seen
        radius, stretch = (0.3 * torch.exp(0.7 * size))[:, None, None], torch.exp(0.3 + 0.5 * aspect)[:, None, None]
        along, across = (cos * dx + sin * dy) / (radius * stretch), (cos * dy - sin * dx) / (radius / stretch)
        distance = torch.sqrt(along.square() + across.square() + 1e-6)
        # an edge of about one pixel and a half, so that every factor has a gradient everywhere
        mask = torch.sigmoid((1 - distance) * radius * self.resolution / 2)[:, None]
        angle = 0.75 * math.pi * hue
        colour = (
            0.6
            * torch.stack([torch.cos(angle), torch.cos(angle - 2 * math.pi / 3), torch.cos(angle + 2 * math.pi / 3)], 1)
            + 0.3
        )
        ground = -0.5 + 0.4 * background
        return mask * colour[:, :, None, None] + (1 - mask) * ground[:, None, None, None]

    def latent_shape(self, space: str) -> tuple[int, ...]:
        return (len(self.factor_names),)

    def first_weights(self, space: str) -> list[Tensor]:
        return [self.strengths[:, None] * self.rotation]

    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float = 1.0) -> Codes:
        z = torch.randn(num, len(self.factor_names), generator=rng)
        return Codes((truncation * z).to(self.rotation.device))

    def decode(self, space: str, codes: Codes) -> Tensor:
        return self.render(self.factors(codes.latents))
