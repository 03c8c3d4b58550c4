"""Samples of the prior with their attributes: what supervised methods learn from."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.errors import NotApplicable
from latent_lab.gans.space import LatentSpace


class Scored(NamedTuple):
    """Latents as the generator sees them :math:`(N, D)` and their attributes :math:`(N, A)`, nan where nothing was
    found."""

    latents: Tensor
    values: Tensor


@torch.no_grad()
def score_samples(
    space: LatentSpace, attributes: Attributes, num: int, rng: torch.Generator, batch_size: int
) -> Scored:
    """Samples of the prior, decoded and measured a batch at a time; the images are not kept."""
    latents, values = [], []
    for part in torch.arange(num).split(batch_size):
        codes = space.sample(len(part), rng)
        latents.append(space.visible(codes.latents).cpu())
        values.append(attributes.measure(space, codes, space.decode(codes).float()).cpu())
    return Scored(torch.cat(latents), torch.cat(values))


def average(attributes: Attributes, values: Tensor) -> Tensor:
    """Means :math:`(A,)` of attributes :math:`(N, A)` over samples, of angles the circular one; nan counts as not
    there."""
    periods = torch.tensor(attributes.periods, dtype=values.dtype, device=values.device)
    turn = 2 * math.pi / periods.where(periods > 0, torch.ones_like(periods))
    around = torch.atan2((turn * values).sin().nanmean(0), (turn * values).cos().nanmean(0)) / turn
    return around.where(periods > 0, values.nanmean(0))


def centred(attributes: Attributes, values: Tensor) -> Tensor:
    """Attributes :math:`(N, A)` as differences from their mean, the short way round for angles; nan stays nan."""
    return attributes.change(average(attributes, values).expand_as(values), values)


def deviations(attributes: Attributes, values: Tensor) -> Tensor:
    """Standard deviations :math:`(A,)` over samples; an attribute that does not vary, or is not found, is an error."""
    found = values.isfinite().sum(0)
    deviation = centred(attributes, values).square().nanmean(0).sqrt()
    for name, value, size, count in zip(
        attributes.names, deviation.tolist(), values.nan_to_num().abs().amax(0).tolist(), found.tolist()
    ):
        if count < 2:
            raise ValueError(
                f"method.attributes: {name!r} was found on {count} of {len(values)} samples; "
                "leave it out or take more samples"
            )
        if value <= 1e-6 * max(size, 1e-3):
            raise ValueError(
                f"method.attributes: {name!r} does not vary over {len(values)} samples of the prior; leave it out"
            )
    return deviation


def require_gradients(space: LatentSpace, attributes: Attributes, rng: torch.Generator) -> None:
    """An error that names the attributes which have no gradient with respect to the latent."""
    codes = space.sample(2, rng)
    codes = codes.moved(codes.latents.detach().requires_grad_())
    with torch.enable_grad():
        values = attributes.measure(space, codes, space.decode(codes).float())
        still = [
            name
            for name, value in zip(attributes.names, values.unbind(1))
            if not value.requires_grad
            or torch.autograd.grad(value.sum(), codes.latents, retain_graph=True, allow_unused=True)[0] is None
        ]
    if still:
        raise NotApplicable(
            f"method.attributes must be differentiable to train paths towards them, got {still}; "
            "method=interfacegan takes any"
        )
