"""Adam on a few tensors of each image, all images in one step and none of them seeing the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latent_lab.inversion.base import Track, untracked


class Best:
    """The tensors of least loss so far, image by image."""

    def __init__(self) -> None:
        self.loss: Tensor | None = None
        self.tensors: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self, loss: Tensor, tensors: Mapping[str, Tensor]) -> None:
        """Losses :math:`(N,)` and tensors with N first."""
        if self.loss is None:
            self.loss, self.tensors = loss.clone(), {name: value.detach().clone() for name, value in tensors.items()}
            return
        better = loss < self.loss
        self.loss = torch.where(better, loss, self.loss)
        for name, value in tensors.items():
            self.tensors[name] = torch.where(better.view(-1, *[1] * (value.ndim - 1)), value, self.tensors[name])


@dataclass(frozen=True)
class Descent:
    """How long and how fast a loss is descended.

    Arguments:
        steps: Values that are looked at, at most: the start, and those that steps of Adam lead to.
        learning_rate: Of Adam, in units of what is optimised.
        patience: An image is finished once its loss has not fallen by a thousandth in so many steps; None for never.
    """

    steps: int
    learning_rate: float
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 0 or self.learning_rate <= 0 or (self.patience is not None and self.patience < 1):
            raise ValueError(
                f"steps must not be negative, learning_rate and patience must be positive, got {self.steps}, {self.learning_rate} and {self.patience}"
            )

    def minimise(
        self, start: Sequence[Tensor], loss: Callable[[list[Tensor]], Tensor], name: str, track: Track = untracked
    ) -> tuple[list[Tensor], Tensor]:
        """The values with the lowest loss that each image came by, and the losses :math:`(T, N)`; a finished image's stay.

        Arguments:
            start: Tensors with N first.
            loss: Of the tensors, with shape :math:`(N,)`; each image's depends on its own values alone.
            name: What ``track`` calls the loop.
        """
        values = [value.detach().clone().requires_grad_() for value in start]
        if self.steps == 0:
            return [value.detach() for value in values], values[0].new_zeros(0, len(values[0]))
        optimiser = torch.optim.Adam(values, self.learning_rate, eps=1e-12)  # a pixel's share of a mean is tiny
        best, curve = Best(), []
        mark, waited = torch.inf, torch.zeros(len(values[0]), device=values[0].device)
        for step in track(range(self.steps), name):
            last = step == self.steps - 1  # is looked at, not moved
            with torch.set_grad_enabled(not last):
                losses = loss(values)
            finished = waited >= (self.patience or torch.inf)
            best.update(losses.detach().where(~finished, torch.inf), {str(i): value for i, value in enumerate(values)})
            curve.append(torch.where(finished, best.loss, losses.detach()))
            progress = best.loss < 0.999 * mark
            mark, waited = best.loss.where(progress, mark), (waited + 1).where(~progress, 0)
            if self.patience and step % 10 == 9 and bool((waited >= self.patience).all()):
                break
            if not last:
                for value, gradient in zip(values, torch.autograd.grad(losses.sum(), values)):
                    value.grad = gradient
                optimiser.step()
        if not best.loss.isfinite().all():
            raise FloatingPointError(f"the loss of {name} is not finite; try a smaller learning rate than {self.learning_rate}")
        return list(best.tensors.values()), torch.stack(curve)
