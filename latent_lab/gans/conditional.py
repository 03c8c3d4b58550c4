"""Latents and labels of the class-conditional generators."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes


def truncated_normal(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Standard normal numbers within -2 to 2."""
    edge = torch.special.ndtr(torch.tensor([-2.0, 2.0], dtype=torch.float64))
    uniform = torch.rand(shape, generator=rng, dtype=torch.float64)
    return torch.special.ndtri(edge[0] + uniform * (edge[1] - edge[0])).float()


def draw_codes(generator, num: int, rng: torch.Generator, truncation: float) -> Codes:
    """Labels first, uniform over ``generator.labels``; then latents: normal at truncation 1, below it truncated normal
    and scaled."""
    device = next(generator.parameters()).device
    choice = torch.randint(len(generator.labels), (num,), generator=rng)
    label = torch.tensor(list(generator.labels))[choice]
    shape = (num, generator.latent_dim)
    z = torch.randn(shape, generator=rng) if truncation == 1 else truncation * truncated_normal(shape, rng)
    return Codes(z.to(device), {"label": label.to(device)})
