"""The stream of latents, paths and amounts that discovery trains on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from latent_lab.gans.space import Codes, LatentSpace

TRAINING, VALIDATION, EVALUATION, INITIAL, POOL, ORDER = range(6)  # purposes of streams, which share no number


def stream(seed: int, rank: int, step: int, purpose: int = TRAINING) -> torch.Generator:
    """The random numbers of one step: a function of its arguments alone, so that a resumed run draws the same ones.

    Rank r of seed s draws from ``SeedSequence((s, r))``: ``seed + rank`` would make rank 1 of seed 0 equal to rank 0 of seed 1.
    """
    sequence = np.random.SeedSequence((seed, rank), spawn_key=(purpose, step))
    return torch.Generator().manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1)))


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


def draw_moves(space: LatentSpace, num: int, num_paths: int, amounts: tuple[float, float], rng: torch.Generator) -> Moves:
    r"""Codes of the prior, paths uniform over all K, and amounts whose magnitude is uniform in ``amounts`` and whose sign is a fair coin."""
    smallest, largest = amounts
    codes = space.sample(num, rng)
    k = torch.randint(num_paths, (num,), generator=rng)
    magnitude = smallest + (largest - smallest) * torch.rand(num, generator=rng)
    sign = 2.0 * torch.randint(2, (num,), generator=rng) - 1
    device = codes.latents.device
    return Moves(codes, k.to(device), (sign * magnitude).to(device))
