"""Random edits: the stream of codes, paths and amounts that discovery trains on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace


class Moves(NamedTuple):
    """A batch of N edits.

    Arguments:
        codes: Codes at which the edits start.
        k: Path of each edit, with shape :math:`(N,)`.
        eps: Signed amount of each edit, with shape :math:`(N,)`.
    """

    codes: Codes
    k: Tensor
    eps: Tensor


def draw_moves(
    space: LatentSpace, num: int, num_paths: int, amounts: tuple[float, float], rng: torch.Generator
) -> Moves:
    """Draw edits: codes of the prior, uniform paths, and amounts with uniform magnitude and a sign from a fair coin.

    Arguments:
        space: The latent space.
        num: Number N of edits.
        num_paths: Number K of paths.
        amounts: Smallest and largest magnitude.
        rng: Source of randomness.
    """
    smallest, largest = amounts
    codes = space.sample(num, rng)
    k = torch.randint(num_paths, (num,), generator=rng)
    magnitude = smallest + (largest - smallest) * torch.rand(num, generator=rng)
    sign = 2.0 * torch.randint(2, (num,), generator=rng) - 1
    device = codes.latents.device
    return Moves(codes, k.to(device), (sign * magnitude).to(device))
