"""Samples of the prior with their attributes, from which supervised methods learn."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.errors import NotApplicable
from latent_lab.gans.space import LatentSpace
from latent_lab.ops.circular import mean


class Scored(NamedTuple):
    """Samples with their attributes.

    Arguments:
        latents: Latents as the generator sees them, with shape :math:`(N, D)`.
        values: Attributes, with shape :math:`(N, A)`; nan if nothing was found.
    """

    latents: Tensor
    values: Tensor


@torch.no_grad()
def score_samples(
    space: LatentSpace, attributes: Attributes, num: int, rng: torch.Generator, batch_size: int
) -> Scored:
    """Draw samples of the prior and measure them a batch at a time. The images are not kept."""
    latents, values = [], []
    for part in torch.arange(num).split(batch_size):
        codes = space.sample(len(part), rng)
        latents.append(space.visible(codes.latents).cpu())
        values.append(attributes.measure(space, codes, space.decode(codes).float()).cpu())
    return Scored(torch.cat(latents), torch.cat(values))


def average(attributes: Attributes, values: Tensor) -> Tensor:
    """Return the means :math:`(A,)` of attributes :math:`(N, A)` over samples: the circular mean of angles. nan is left
    out."""
    return mean(values, attributes.periods)


def centre(attributes: Attributes, values: Tensor) -> Tensor:
    """Return attributes :math:`(N, A)` as differences from their mean, the short way round for angles; nan stays
    nan."""
    return attributes.change(average(attributes, values).expand_as(values), values)


def measure_deviations(attributes: Attributes, values: Tensor) -> Tensor:
    """Return the standard deviations :math:`(A,)` of attributes over samples.

    Raises:
        ValueError: An attribute does not vary, or is hardly ever found.
    """
    found = values.isfinite().sum(0)
    deviation = centre(attributes, values).square().nanmean(0).sqrt()
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
    """Check that the attributes have a gradient with respect to the latent.

    Raises:
        NotApplicable: Some have none; they are named.
    """
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
