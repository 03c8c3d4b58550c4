"""The amount along a path at which an attribute has changed by a wanted difference."""

from __future__ import annotations

import numpy as np
from torch import Tensor


def amount_for_change(amounts: Tensor, curve: Tensor, change: float) -> float:
    """Return the smallest amount, of either sign, at which a curve reaches a change; nan if it never does.

    Between two steps the curve is a straight line.

    Arguments:
        amounts, curve: Amounts and changes of the attribute, both with shape :math:`(S,)`; the original (0, 0) is
            added. Steps whose curve is nan do not count.
        change: The wanted change, in the attribute's units.

    Example:
        >>> import torch
        >>> amount_for_change(torch.tensor([-1.0, 1.0, 2.0]), torch.tensor([-4.0, 2.0, 4.0]), 3.0)
        1.5
    """
    x, y = np.append(amounts.double().cpu().numpy(), 0.0), np.append(curve.double().cpu().numpy(), 0.0)
    order = np.where(np.isfinite(y))[0]
    order = order[x[order].argsort()]
    x, y = x[order], y[order] - change
    crossings = [
        x[i] + (x[i + 1] - x[i]) * y[i] / (y[i] - y[i + 1])
        for i in range(len(x) - 1)
        if y[i] * y[i + 1] <= 0 and y[i] != y[i + 1]
    ]
    return float(min(crossings, key=abs)) if crossings else float("nan")
