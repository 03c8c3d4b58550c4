"""The optimiser of the published encoders: rectified Adam with lookahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn


class Ranger(torch.optim.RAdam):
    r"""Rectified Adam whose weights are pulled back to slow ones every few steps: :math:`s \leftarrow s + \alpha (w -
    s)`, :math:`w \leftarrow s`.

    References:
        | On the Variance of the Adaptive Learning Rate and Beyond (Liu et al., 2020)
        | https://arxiv.org/abs/1908.03265
        | Lookahead Optimizer: k steps forward, 1 step back (Zhang et al., 2019), Algorithm 1
        | https://arxiv.org/abs/1907.08610

    Arguments:
        parameters: Parameters, or groups of them, to train.
        lr: Learning rate.
        every: Steps k between two draws; 0 is plain RAdam.
        share: Step size :math:`\alpha` of the slow weights.
        betas, eps: RAdam's.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float = 1e-4,
        every: int = 6,
        share: float = 0.5,
        betas: tuple[float, float] = (0.95, 0.999),
        eps: float = 1e-5,
    ) -> None:
        if every < 0 or not 0 < share <= 1:
            raise ValueError(
                f"optimiser.every must be at least 0 and share above 0 and at most 1, got {every} and {share}"
            )
        super().__init__(parameters, lr, tuple(betas), eps)
        self.every, self.share = every, share

    @torch.no_grad()
    def step(self, closure: Callable | None = None):
        """Take one step, and pull the weights back to the slow ones where it is time. Return the closure's loss."""
        trained = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        fresh = {p: p.clone() for p in trained if self.every and "slow" not in self.state[p]}
        # RAdam begins a state only where there is none
        slow = {p: self.state[p].pop("slow") for p in trained if "slow" in self.state[p]} | fresh
        loss = super().step(closure)
        for p, value in slow.items():
            if self.state[p]["step"] % self.every == 0:
                p.copy_(value.lerp_(p, self.share))
            self.state[p]["slow"] = value
        return loss
