"""The optimiser of every training of paths."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def decaying_adam(groups: Sequence[dict], lr_decay: float, steps: int):
    """Adam over the groups that hold parameters, as ``configure_optimizers`` returns it.

    Arguments:
        groups: ``params`` and ``lr`` of each.
        lr_decay: Share of the run, at its end, in which the rates fall linearly to 0.
        steps: Steps of the run.
    """
    return decaying(torch.optim.Adam([group for group in groups if group["params"]]), lr_decay, steps)


def decaying(optimiser: torch.optim.Optimizer, lr_decay: float, steps: int):
    """Any optimiser, with the schedule of :func:`decaying_adam`."""
    if not lr_decay:
        return optimiser
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, max(0.0, steps - step) / (lr_decay * steps))
    )
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
