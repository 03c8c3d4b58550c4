"""The stream of latents, paths and amounts that discovery trains on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace


class Moves(NamedTuple):
    """A batch of edits to make.

    Arguments:
        codes: Where the edits start, N of them.
        k: Path of each edit, with shape :math:`(N,)`.
        eps: Signed amount of each edit, with shape :math:`(N,)`.
    """

    codes: Codes
    k: Tensor
    eps: Tensor


def draw_moves(
    space: LatentSpace, num: int, num_paths: int, amounts: tuple[float, float], rng: torch.Generator
) -> Moves:
    r"""Codes of the prior, paths uniform over all K, and amounts whose magnitude is uniform in ``amounts`` and whose
    sign is a fair coin."""
    smallest, largest = amounts
    codes = space.sample(num, rng)
    k = torch.randint(num_paths, (num,), generator=rng)
    magnitude = smallest + (largest - smallest) * torch.rand(num, generator=rng)
    sign = 2.0 * torch.randint(2, (num,), generator=rng) - 1
    device = codes.latents.device
    return Moves(codes, k.to(device), (sign * magnitude).to(device))
