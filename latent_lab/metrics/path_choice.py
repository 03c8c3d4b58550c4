"""Which path is which attribute."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def assign(scores: Tensor) -> tuple[Tensor, Tensor]:
    """A path for each attribute, none used twice, that maximises the sum of the scores :math:`(K, A)`.

    With fewer paths than attributes the attributes left out get none. Returns the attributes and their paths, with the
    same length.
    """
    paths, attributes = linear_sum_assignment(-torch.nan_to_num(scores).cpu().numpy())
    order = attributes.argsort()
    return torch.as_tensor(attributes[order]), torch.as_tensor(paths[order])
