"""Limits of walks: how far each really changes the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from latent_lab.gans.space import LatentSpace
from latent_lab.paths.base import Paths

# of the largest amount of the training
SHARES = (-3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)


class Response(NamedTuple):
    """Realised changes along each path.

    Arguments:
        amounts: Signed amounts, ascending, 0 in the middle, with shape :math:`(S,)`.
        change: Realised change of each path, the median over latents, in units of amount, with shape :math:`(K, S)`.
        outside: Share of the walked latents that have left the prior's 99 % shell, with shape :math:`(K, S)`.
    """

    amounts: Tensor
    change: Tensor
    outside: Tensor


@torch.no_grad()
def measure_response(
    space: LatentSpace,
    paths: Paths,
    realised: Callable[..., Tensor],
    largest: float,
    rng: torch.Generator,
    num: int,
    batch_size: int,
) -> Response:
    """Measure what every path changes at amounts up to three times the ``largest`` of the training.

    Arguments:
        space: The latent space.
        paths: The paths.
        realised: Measures the realised change of a path, as :meth:`latent_lab.methods.walk.Target.realised`.
        largest: Largest amount of the training.
        rng: Source of the latents.
        num: Number of latents.
        batch_size: Latents decoded at once.
    """
    radii = space.radius(space.sample(4096, rng).latents)
    inner, outer = radii.quantile(0.005), radii.quantile(0.995)
    amounts = largest * torch.tensor(SHARES)
    change, outside = [], []
    for codes in (space.sample(len(part), rng) for part in torch.arange(num).split(batch_size)):
        before = space.decode(codes).float()
        for k in range(paths.num_paths):
            for eps in amounts.to(codes.latents):
                index = torch.full((len(before),), k, device=space.device)
                moved = codes.moved(paths.shift(codes.latents, index, eps.expand(len(before)), codes.given))
                radius = space.radius(moved.latents)
                change.append(realised(codes, before, moved, space.decode(moved).float(), index).cpu())
                outside.append(((radius < inner) | (radius > outer)).float().cpu())

    def by_path(values: list[Tensor]) -> Tensor:
        """One row a path, one column an amount, all latents in the last axis."""
        kinds = paths.num_paths * len(SHARES)
        return torch.stack([torch.cat(values[kind::kinds]) for kind in range(kinds)]).unflatten(0, (-1, len(SHARES)))

    return Response(amounts, by_path(change).nanmedian(2).values, by_path(outside).mean(2))


def find_limits(found: Response, path: int, slope: float = 0.25) -> tuple[float, float]:
    """Return the amounts at which a walk ends, downwards and upwards.

    A walk ends before the first step whose realised change is less than ``slope`` of the mean of the two steps around 0
    (it saturates), or that takes more than half of the latents out of the prior's 99 % shell; else at the largest
    amount tried. A walk that goes the wrong way ends at 0.

    References:
        | On the "steerability" of generative adversarial networks (Jahanian et al., 2020), Section 4
        | https://arxiv.org/abs/1907.07171
    """
    middle = len(found.amounts) // 2
    change, outside = found.change[path], found.outside[path]
    start = (change[middle + 1] - change[middle - 1]) / 2
    ends = []
    for sign in (-1, 1):
        end = middle
        while 0 <= end + sign < len(change):
            step = sign * (change[end + sign] - change[end])
            if not step >= slope * start.abs() or outside[end + sign] > 0.5 or start <= 0:
                break
            end += sign
        ends.append(found.amounts[end].item())
    return ends[0], ends[1]


def describe(found: Response, names: Sequence[str]) -> dict[str, dict]:
    """Return limits and curves of each path, by name, as plain numbers."""
    largest = SHARES.index(1.0)
    return {
        name: {
            "amounts": found.amounts.tolist(),
            "change": found.change[k].tolist(),
            "outside_prior": found.outside[k].tolist(),
            "at_largest": found.change[k, largest].item(),
            "limits": list(find_limits(found, k)),
        }
        for k, name in enumerate(names)
    }
