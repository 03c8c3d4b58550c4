"""How far along a path a change of an attribute lies."""

from __future__ import annotations

import numpy as np
from torch import Tensor


def amount_for_change(amounts: Tensor, curve: Tensor, change: float) -> float:
    """The smallest amount, of either sign, at which the curve reaches ``change``; nan if it does not.

    Arguments:
        amounts, curve: The traversal, both with shape :math:`(S,)`; the original (0, 0) is added. Steps whose curve is
            nan do not count.
        change: The change of the attribute that is wanted.
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
