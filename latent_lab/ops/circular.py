"""Mean and deviation of attributes, some of which are angles."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def mean(values: Tensor, periods: Tensor | Sequence[float]) -> Tensor:
    r"""Return the means over samples, with shape :math:`(\dots, A)`; for angles the circular mean.

    .. math:: \bar\theta = \frac{P}{2\pi} \arg \frac{1}{N} \sum_n e^{2\pi i\, \theta_n / P}

    with the period P. It lies in :math:`[-P/2, P/2]`, and is arbitrary where the sum is 0, as for angles all around.
    Values that are nan do not count.

    References:
        | Directional Statistics (Mardia & Jupp, 2000), Section 2.2

    Arguments:
        values: Values, with shape :math:`(\dots, N, A)`, each attribute in its own unit.
        periods: The full turn of each attribute that is an angle, in its unit; 0 for the others; with shape
            :math:`(A,)`.

    Example:
        >>> mean(torch.tensor([[350.0, 350.0], [20.0, 20.0]]), (0.0, 360.0)).round(decimals=3)
        tensor([185.,   5.])
    """
    turns, angle = _turns(values, periods)
    radians = 2 * math.pi / turns
    around = torch.atan2((radians * values).sin().nanmean(-2), (radians * values).cos().nanmean(-2)) / radians
    return around.where(angle, values.nanmean(-2))


def deviation(values: Tensor, periods: Tensor | Sequence[float]) -> Tensor:
    r"""Return the standard deviations over samples, with shape :math:`(\dots, A)`, in the attributes' units.

    .. math:: s = \sqrt{\frac{1}{N - 1} \sum_n d(\theta_n, \bar\theta)^2}

    with the difference d from the :func:`mean`: the plain one, or for angles the short way round. So an angle that
    varies little has the deviation that it would have as a number, and one all around has :math:`P / \sqrt{12}`. (The
    usual circular deviation :math:`\sqrt{-2 \log R}` of the mean resultant length R has no bound as R falls to 0.)
    Values that are nan do not count; nan where fewer than two remain.

    Arguments:
        values, periods: See :func:`mean`.

    Example:
        >>> deviation(torch.tensor([[350.0, 350.0], [0.0, 0.0], [10.0, 10.0]]), (0.0, 360.0)).round(decimals=3)
        tensor([199.2490,  10.0000])
    """
    turns, angle = _turns(values, periods)
    away = values - mean(values, periods).unsqueeze(-2)
    away = away - torch.where(angle, turns * (away / turns).round(), torch.zeros_like(away))
    free = values.isfinite().sum(-2) - 1
    squares = away.square().nansum(-2) / free.clamp_min(1)
    return squares.sqrt().where(free > 0, torch.full_like(squares, math.nan))


def _turns(values: Tensor, periods: Tensor | Sequence[float]) -> tuple[Tensor, Tensor]:
    """Return a full turn of each attribute, 1 for those that are no angles, and which are angles.

    Raises:
        ValueError: There is not one period for each attribute.
    """
    given = torch.as_tensor(periods, dtype=values.dtype, device=values.device)
    if given.shape != values.shape[-1:]:
        raise ValueError(f"periods must be one for each of {values.shape[-1]} attributes, got {tuple(given.shape)}")
    return given.where(given > 0, torch.ones_like(given)), given > 0
