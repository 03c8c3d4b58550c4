"""The correlation of numbers, some of which are angles."""

from __future__ import annotations

import math

import torch
from torch import Tensor

TINY = 1e-9  # a coordinate whose spread is this share of the other's is rounding


def correlate(values: Tensor, periods: Tensor) -> Tensor:
    r"""Return the absolute correlation of each pair of columns.

    A number is the coordinate x, an angle the point :math:`(\cos, \sin)` on its circle. The correlation is the largest
    canonical correlation of the two: for two numbers the absolute value of Pearson's, for a number and an angle the
    multiple correlation of the number with cosine and sine. It does not depend on where an angle's zero lies. A column
    that is constant correlates with nothing, itself included.

    References:
        | Linear-circular correlation coefficients and rhythmometry (Mardia, 1976)
        | A general correlation coefficient for directional data and related regression problems (Jupp & Mardia, 1980)

    Arguments:
        values: Finite numbers, with shape :math:`(N, A)`.
        periods: The full turn of each column that is an angle, 0 for the others, with shape :math:`(A,)`.

    Returns:
        The correlations from 0 to 1, with shape :math:`(A, A)`, in float64.

    Example:
        >>> x = torch.linspace(0, 1, 101)
        >>> r = correlate(torch.stack([x, -x, 360 * x, (x - 0.5).abs()], 1), torch.tensor([0.0, 0, 360, 0]))
        >>> [round(value, 2) for value in r[0].tolist()]
        [1.0, 1.0, 0.77, 0.0]
    """
    bases = []
    for column, period in zip(values.double().unbind(1), periods.tolist()):
        turn = 2 * math.pi / period * column if period else column
        points = torch.stack([turn.cos(), turn.sin()], 1) if period else column[:, None]
        size = points.abs().amax().clamp_min(1e-300)  # so that the squares of tiny numbers do not vanish
        points = points / size
        basis, spread, _ = torch.linalg.svd(points - points.mean(0), full_matrices=False)
        least = TINY * max(float(len(points)) ** 0.5, float(spread.max()))
        bases.append(basis * (spread > least))
    found = [torch.stack([torch.linalg.matrix_norm(one.mT @ other, 2) for other in bases]) for one in bases]
    return torch.stack(found).clamp(max=1.0)
