"""Adam on a few tensors of each image: all images in one step, none of which sees the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from latent_lab.inversion.base import Track, require_number, untracked
from latent_lab.inversion.keeper import Steps
from latent_lab.inversion.parts import Curve


class Best:
    """The tensors of the least loss so far, image by image.

    Arguments:
        tensors: Tensors at the start, with N first; their loss counts as infinite.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = {name: value.detach().clone() for name, value in tensors.items()}
        first = next(iter(self.tensors.values()))
        self.loss = first.new_full((len(first),), torch.inf)

    @torch.no_grad()
    def update(self, loss: Tensor, tensors: Mapping[str, Tensor]) -> None:
        """Take the losses :math:`(N,)` of a step and its tensors, with N first."""
        better = loss < self.loss
        self.loss.copy_(torch.where(better, loss, self.loss))
        for name, value in tensors.items():
            self.tensors[name].copy_(torch.where(better.view(-1, *[1] * (value.ndim - 1)), value, self.tensors[name]))


@dataclass(frozen=True)
class Descent:
    """Options of a descent: how long and how fast it goes.

    Arguments:
        steps: Largest number of values that are looked at: the start, and those that steps of Adam lead to.
        learning_rate: Adam's learning rate, in units of what is optimised.
        patience: Number of steps without a fall of the loss by a thousandth after which an image is finished; None for
            never.
    """

    steps: int
    learning_rate: float
    patience: int | None = None

    def __post_init__(self) -> None:
        require_number("steps", self.steps, whole=True)
        require_number("learning_rate", self.learning_rate, above=True)
        if self.patience is not None:
            require_number("patience", self.patience, 1, whole=True)

    def minimise(
        self,
        start: Sequence[Tensor],
        loss: Callable[[list[Tensor]], Tensor],
        name: str,
        track: Track = untracked,
        watched: Mapping[str, Curve] = MappingProxyType({}),
    ) -> tuple[list[Tensor], Tensor]:
        """Return the values with the lowest loss that each image passed, and the losses :math:`(T, N)`. The loss of a
        finished image stays as it is.

        Arguments:
            start: Tensors with N first.
            loss: Returns the losses :math:`(N,)` of the tensors; each image's depends on its own values alone.
            name: Name of the loop, for ``track``.
            track: Shows the progress of the loop.
            watched: Curves that ``loss`` appends to at each step, so that they continue where the loop does.
        """
        values = [value.detach().clone().requires_grad_() for value in start]
        if self.steps == 0:
            return [value.detach() for value in values], values[0].new_zeros(0, len(values[0]))
        optimiser = torch.optim.Adam(values, self.learning_rate, eps=1e-12)  # a pixel's share of a mean is tiny
        best, curve = Best({str(i): value for i, value in enumerate(values)}), Curve(len(values[0]))
        mark, waited = torch.full_like(best.loss, torch.inf), torch.zeros_like(best.loss)
        parts = {f"value {i}": value for i, value in enumerate(values)} | {
            f"best {i}": value for i, value in best.tensors.items()
        }
        parts |= {"adam": optimiser, "lowest": best.loss, "mark": mark, "waited": waited, "loss": curve, **watched}
        steps = Steps(track, self.steps, name, parts)
        for step in steps:
            last = step == self.steps - 1  # is looked at, not moved
            with torch.set_grad_enabled(not last):
                losses = loss(values)
            finished = waited >= (self.patience or torch.inf)
            best.update(losses.detach().where(~finished, torch.inf), {str(i): value for i, value in enumerate(values)})
            curve.append(torch.where(finished, best.loss, losses.detach()))
            progress = best.loss < 0.999 * mark
            mark.copy_(best.loss.where(progress, mark))
            waited.copy_((waited + 1).where(~progress, 0))
            if self.patience and step % 10 == 9 and bool((waited >= self.patience).all()):
                steps.end()
            elif not last:
                for value, gradient in zip(values, torch.autograd.grad(losses.sum(), values)):
                    value.grad = gradient
                optimiser.step()
        if not best.loss.isfinite().all():
            raise FloatingPointError(
                f"the loss of {name} is not finite; try a smaller learning rate than {self.learning_rate}"
            )
        return list(best.tensors.values()), curve.stack()
