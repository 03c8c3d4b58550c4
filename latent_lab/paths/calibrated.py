"""Straight paths whose amount is the change of a factor, by a monotone model of the factor along each."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.paths.base import Paths


class CalibratedPaths(Paths):
    r"""Straight paths at the speed at which a factor changes.

    .. math:: z' = z + \left(g_k^{-1}(g_k(c) + \varepsilon) - c\right) u_k, \qquad c = \langle u_k, z - m \rangle

    :math:`g_k` says which value of the factor a projection c has: increasing, linear between ``knots`` over [-extent,
    extent] and beyond them. One unit of amount is one unit of the factor; edits along one path add up.

    References:
        | Controlling generative models with continuous factors of variations (Plumerault et al., 2020), Section 2.3
        | https://arxiv.org/abs/2001.10238

    Arguments:
        dim: Size D of a latent.
        num_paths: Number K of paths.
        extent: Projections that the knots cover, from -extent to extent.
        knots: Number of intervals between them.
        slope: Initial slope of the models, factor per unit of length.
        rng: Source of the initial directions.

    Example:
        >>> paths = CalibratedPaths(dim=4, num_paths=2, slope=2.0)
        >>> moved = paths.shift(torch.zeros(1, 4), torch.tensor([0]), torch.tensor([1.0]))
        >>> torch.linalg.vector_norm(moved, dim=1)  # one unit of a factor that changes by 2 for each unit of length
        tensor([0.5000], grad_fn=<LinalgVectorNormBackward0>)
    """

    centre: Tensor

    unrecorded = ("slope", "rng")

    def __init__(
        self,
        dim: int,
        num_paths: int,
        extent: float = 5.0,
        knots: int = 100,
        slope: float = 1.0,
        rng: torch.Generator | None = None,
    ) -> None:
        super().__init__(dim, num_paths)
        if extent <= 0 or knots < 1 or slope <= 0:
            raise ValueError(f"extent and slope must be above 0, knots at least 1, got {extent}, {slope} and {knots}")
        self.extent, self.interval = extent, 2 * extent / knots
        self.weight = nn.Parameter(torch.randn(num_paths, dim, generator=rng))
        self.log_slopes = nn.Parameter(torch.full((num_paths, knots), math.log(slope)))
        self.register_buffer("centre", torch.zeros(dim))

    def directions(self) -> Tensor:
        """Return the unit vectors u, with shape :math:`(K, D)`."""
        return F.normalize(self.weight, dim=1)

    def model(self, projections: Tensor, k: Tensor) -> Tensor:
        """Return the factors :math:`g_k(c)`, with shape :math:`(N,)`; 0 at the first knot.

        Arguments:
            projections: Projections c, with shape :math:`(N,)`.
            k: Numbers of the paths, with shape :math:`(N,)`.
        """
        slopes = self.log_slopes.exp()[k]
        index = ((projections.detach() + self.extent) / self.interval).long().clamp(0, slopes.shape[1] - 1)[:, None]
        beyond = projections - self._knots(index, projections)
        return self._values(slopes).gather(1, index)[:, 0] + slopes.gather(1, index)[:, 0] * beyond

    def inverse(self, values: Tensor, k: Tensor) -> Tensor:
        """Return the projections :math:`g_k^{-1}(t)`, with shape :math:`(N,)`.

        Arguments:
            values: Factors t, with shape :math:`(N,)`.
            k: Numbers of the paths, with shape :math:`(N,)`.
        """
        slopes = self.log_slopes.exp()[k]
        table = self._values(slopes)
        index = (torch.searchsorted(table.detach(), values.detach()[:, None], right=True) - 1).clamp(
            0, slopes.shape[1] - 1
        )
        beyond = (values - table.gather(1, index)[:, 0]) / slopes.gather(1, index)[:, 0]
        return self._knots(index, values) + beyond

    def _knots(self, index: Tensor, like: Tensor) -> Tensor:
        """Projections at the left ends of the intervals, with shape :math:`(N,)`."""
        return self.interval * index[:, 0].to(like) - self.extent

    def _values(self, slopes: Tensor) -> Tensor:
        """The models at the knots' left ends, with shape :math:`(N, M)`."""
        return F.pad(self.interval * slopes[:, :-1].cumsum(1), (1, 0))

    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        directions = self.directions()[k]
        projections = ((latents - self.centre) * directions).sum(1)
        moved = latents + (self.inverse(self.model(projections, k) + eps, k) - projections)[:, None] * directions
        # an amount of 0 must not pay the model's rounding, yet has a derivative
        return torch.where(eps[:, None] == 0, latents.detach() + (moved - moved.detach()), moved)
