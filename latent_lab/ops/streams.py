"""Random numbers of one step, which depend on the seed, the rank, the step and the purpose alone."""

from __future__ import annotations

import numpy as np
import torch

TRAINING, VALIDATION, EVALUATION, INITIAL, POOL, ORDER = range(6)  # purposes of streams, which share no number


def stream(seed: int, rank: int, step: int, purpose: int = TRAINING) -> torch.Generator:
    """Return the source of the random numbers of one step, so that a resumed run draws the same ones.

    Rank r of seed s draws from ``SeedSequence((s, r))``: ``seed + rank`` would make rank 1 of seed 0 equal to rank 0 of
    seed 1.

    Arguments:
        seed: Seed of the run.
        rank: Number of the process.
        step: Number of the step.
        purpose: One of the constants of this module; streams of two purposes share no number.

    Example:
        >>> torch.rand(1, generator=stream(0, 0, 7)) == torch.rand(1, generator=stream(0, 0, 7))
        tensor([True])
    """
    sequence = np.random.SeedSequence((seed, rank), spawn_key=(purpose, step))
    return torch.Generator().manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1)))
