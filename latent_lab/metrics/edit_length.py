"""The length that edits really have: volume preservation does not bound it, so it is always measured."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torchmetrics import Metric

from latent_lab.gans.space import LatentSpace
from latent_lab.metrics.base import RANKING, Measurement, Score, Setting
from latent_lab.metrics.views import Views
from latent_lab.ops.streams import EVALUATION, stream


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


class EditLengths(Measurement):
    """Realised length of single edits at the compared length, and how far out in the prior they end, see
    :class:`EditLength`."""

    needs = ("single",)

    def observe(self, views: Views) -> dict[str, Tensor]:
        single, space = views.single, views.subject.space
        length = torch.linalg.vector_norm(
            (space.visible(single.after) - space.visible(single.before)).flatten(1), dim=1
        )
        radius = space.radius(single.after)
        found = {
            "realised": length,
            "per_amount": length / single.eps.abs(),
            "radius": radius,
            "radius_ratio": radius / space.radius(single.before),
        }
        return {name: views.by_latent(values) for name, values in found.items()}

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        shell = EditLength(setting.subject.space, stream(setting.seed, RANKING, 1, EVALUATION))
        outside = ((observed["radius"] < shell.inner) | (observed["radius"] > shell.outer)).double()
        score = setting.bootstrap.score
        return [
            score("length/realised", observed["realised"], "latent units", ""),
            score("length/per_amount", observed["per_amount"], "latent units", ""),
            score("prior/radius_ratio", observed["radius_ratio"], "", ""),
            score("prior/outside_99_shell", outside, "share", "lower"),
        ]
