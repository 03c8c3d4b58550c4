"""How far edits really go: volume preservation does not bound it, so it is always measured."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from latent_lab.gans.space import LatentSpace


def edit_length(before: Tensor, after: Tensor, eps: Tensor) -> Tensor:
    r"""Realised length of an edit per unit of its amount, :math:`\|z' - z\| / |\varepsilon|`, with shape
    :math:`(N,)`."""
    return torch.linalg.vector_norm((after - before).flatten(1), dim=1) / eps.abs()


class EditLength(Metric):
    r"""Mean realised length per unit, radius of edited latents over that of the prior, and share outside the prior's 99
    % shell.

    On a spherical space lengths are measured after normalisation, as the generator sees them.

    Arguments:
        space: The space that is edited.
        rng: Source of the 4,096 latents that say where the prior's shell lies.
    """

    higher_is_better = None
    full_state_update = False
    sequences = ("k",)

    def __init__(self, space: LatentSpace, rng: torch.Generator, **kwargs) -> None:
        super().__init__(**kwargs)
        self.visible, self.radius = space.visible, space.radius
        radii = space.radius(space.sample(4096, rng).latents)
        self.inner, self.outer = radii.quantile(0.005).item(), radii.quantile(0.995).item()
        self.add_state("length", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("growth", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("outside", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, views, pair) -> None:
        """Takes the views of the original and of the single edit ``k``."""
        before, after = views[""].latents, views["k"].latents
        radius = self.radius(after)
        self.length += edit_length(self.visible(before), self.visible(after), pair.eps_k).sum()
        self.growth += (radius / self.radius(before)).sum()
        self.outside += ((radius < self.inner) | (radius > self.outer)).sum()
        self.count += len(radius)

    def compute(self) -> dict[str, Tensor]:
        return {
            "edit_length": self.length / self.count,
            "radius_ratio": self.growth / self.count,
            "outside_prior": self.outside / self.count,
        }
