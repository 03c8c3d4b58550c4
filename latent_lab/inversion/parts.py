"""The parts of an inversion's loop that change, as tensors: written to a file, and put back so that the loop continues
with the same bits."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class Curve:
    """The measurements of a loop, one for each step.

    Arguments:
        num: Number N of images: every step appends a tensor with shape :math:`(N,)`.
    """

    def __init__(self, num: int) -> None:
        self.num, self.values = num, []

    def append(self, values: Tensor) -> None:
        """Append the values of a step, with shape :math:`(N,)`."""
        self.values.append(values.detach())

    def stack(self) -> Tensor:
        """Return the values of all steps, with shape :math:`(T, N)`, on the device of the last."""
        if not self.values:
            return torch.zeros(0, self.num)
        device = self.values[-1].device  # those of a file are on the CPU
        return torch.stack([value.to(device) for value in self.values])


Part = Tensor | torch.Generator | torch.optim.Adam | Curve


def parameters(optimiser: torch.optim.Adam) -> list[Tensor]:
    """Return the parameters of an optimiser, in the order of its groups."""
    return [value for group in optimiser.param_groups for value in group["params"]]


def tensors_of(part: Part, ended: bool = False) -> dict[str, Tensor]:
    """Return copies on the CPU of what a part holds, by name.

    Arguments:
        part: A tensor, a source of random numbers on the CPU, an optimiser or a curve.
        ended: Whether no step comes after: of an optimiser only the number of steps is kept, not its moments.
    """
    if isinstance(part, Tensor):
        found = {"value": part}
    elif isinstance(part, torch.Generator):
        found = {"state": part.get_state()}
    elif isinstance(part, Curve):
        found = {"values": part.stack()}
    else:
        found = {
            f"{i}.{key}": value
            for i, parameter in enumerate(parameters(part))
            for key, value in part.state.get(parameter, {}).items()
            if key == "step" or not ended
        }
    return {name: value.detach().to("cpu", copy=True) for name, value in found.items()}


def fit(part: Part, tensors: Mapping[str, Tensor], done: int, ended: bool) -> bool:
    """Tell whether a part can take tensors that anybody may have written.

    Arguments:
        part: The part, as it is before the loop begins.
        tensors: Tensors as :func:`tensors_of` returns them.
        done: Number of steps after which they were written.
        ended: Whether no step comes after.
    """
    if isinstance(part, torch.optim.Adam):
        return fit_adam(part, tensors, done, ended)
    name = "value" if isinstance(part, Tensor) else "state" if isinstance(part, torch.Generator) else "values"
    if tensors.keys() != {name}:
        return False
    value = tensors[name]
    if isinstance(part, Tensor):
        return value.shape == part.shape and value.dtype == part.dtype
    if isinstance(part, Curve):
        return value.shape == (done, part.num) and value.dtype.is_floating_point
    try:
        torch.Generator().set_state(value)
    except (RuntimeError, TypeError):
        return False
    return True


def fit_adam(optimiser: torch.optim.Adam, tensors: Mapping[str, Tensor], done: int, ended: bool) -> bool:
    """Tell whether an optimiser can take tensors: arguments as for :func:`fit`."""
    keys = ("step",) if ended else ("step", "exp_avg", "exp_avg_sq")
    left = dict(tensors)
    for i, parameter in enumerate(parameters(optimiser)):
        own = {key: left.pop(f"{i}.{key}") for key in keys if f"{i}.{key}" in left}
        if not own:
            continue  # a parameter without a gradient has no state
        if (
            own.keys() != set(keys)
            or own["step"].shape != ()
            or own["step"].dtype not in (torch.float32, torch.float64)
        ):
            return False
        if not 1 <= own["step"].item() <= done or any(
            value.shape != parameter.shape or value.dtype != parameter.dtype
            for key, value in own.items()
            if key != "step"
        ):
            return False
    return not left


@torch.no_grad()
def load(part: Part, tensors: Mapping[str, Tensor]) -> None:
    """Put tensors back that :func:`fit`. A tensor and an optimiser keep their places, layouts and devices."""
    if isinstance(part, Tensor):
        part.copy_(tensors["value"])
    elif isinstance(part, torch.Generator):
        part.set_state(tensors["state"])
    elif isinstance(part, Curve):
        part.values = list(tensors["values"].unbind())
    else:
        for i, parameter in enumerate(parameters(part)):
            own = {key: tensors[f"{i}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq") if f"{i}.{key}" in tensors}
            if own:
                part.state[parameter] = {
                    key: value if key == "step" else torch.empty_like(parameter).copy_(value)
                    for key, value in own.items()
                }
