"""Paths as vector fields: how much they bend, and whether their flows commute, without an image."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.func import jvp
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from latent_lab.metrics.base import NAN, RANKING, Measurement, Score, Setting
from latent_lab.ops.streams import EVALUATION, stream
from latent_lab.paths.base import Paths

SHARES = (-2.0, -4 / 3, -2 / 3, 0.0, 2 / 3, 4 / 3, 2.0)  # of the compared length, at which a path's bend is sampled


def field(
    paths: Paths, latents: Tensor, k: Tensor, given: dict[str, Tensor] | None = None, step: float = 1e-3
) -> Tensor:
    r"""The field :math:`X_k(z) = \partial \phi_k^\varepsilon(z) / \partial \varepsilon` at 0, with shape :math:`(N,
    D)`."""
    zeros = latents.new_zeros(len(latents))
    try:
        return jvp(lambda eps: paths.shift(latents, k, eps, given), (zeros,), (torch.ones_like(zeros),))[1]
    except (RuntimeError, NotImplementedError):  # an adaptive solver has no forward mode
        return (paths.shift(latents, k, zeros + step, given) - paths.shift(latents, k, zeros - step, given)) / (
            2 * step
        )


def lie_bracket(
    paths: Paths, latents: Tensor, k: Tensor, l: Tensor, given: dict[str, Tensor] | None = None, step: float = 1e-3
) -> Tensor:
    r"""The bracket :math:`[X_k, X_l] = DX_l\, X_k - DX_k\, X_l`, with shape :math:`(N, D)`; 0 exactly where the edits
    commute.

    By Jacobian-vector products, in float64; by central differences where the paths have no forward mode.
    """
    paths, latents = copy.deepcopy(paths).double(), latents.double()
    try:
        one, other = field(paths, latents, k, given), field(paths, latents, l, given)
        along = [
            jvp(
                lambda z, c=c: jvp(
                    lambda eps: paths.shift(z, c, eps, given), (z.new_zeros(len(z)),), (z.new_ones(len(z)),)
                )[1],
                (latents,),
                (x,),
            )[1]
            for c, x in ((l, one), (k, other))
        ]
    except (RuntimeError, NotImplementedError):
        along = [
            (field(paths, latents + step * x, c, given) - field(paths, latents - step * x, c, given)) / (2 * step)
            for c, x in ((l, one), (k, other))
        ]
    return along[0] - along[1]


def bracket_error(
    paths: Paths, latents: Tensor, k: Tensor, l: Tensor, given: dict[str, Tensor] | None = None
) -> Tensor:
    r"""The bracket's length over the fields', :math:`\|[X_k, X_l]\| / (\|X_k\| \|X_l\|)`, per unit of length, with
    shape :math:`(N,)`."""
    bracket = torch.linalg.vector_norm(lie_bracket(paths, latents, k, l, given).flatten(1), dim=1)
    lengths = [torch.linalg.vector_norm(field(paths, latents, c, given).flatten(1), dim=1) for c in (k, l)]
    return bracket.to(latents.dtype) / (lengths[0] * lengths[1]).clamp_min(1e-12)


def direction_spread(directions: Tensor) -> Tensor:
    """One minus the mean cosine between a path's directions at different latents: :math:`(N, K, D)` to :math:`(K,)`; 0
    for straight paths."""
    unit = torch.nn.functional.normalize(directions.double().flatten(2), dim=2)
    num = len(unit)
    if num < 2:
        return torch.full(unit.shape[1:2], float("nan"), dtype=unit.dtype)
    mean_cosine = (unit.sum(0).square().sum(1) - num) / (num * (num - 1))
    return (1 - mean_cosine).clamp_min(0)


def bend(points: Tensor) -> Tensor:
    """One minus chord over arc of sampled paths: :math:`(N, S, D)` to :math:`(N,)`; 0 for straight paths, 1 for closed
    ones."""
    points = points.double().flatten(2)
    arc = torch.linalg.vector_norm(points.diff(dim=1), dim=2).sum(1)
    chord = torch.linalg.vector_norm(points[:, -1] - points[:, 0], dim=1)
    return (1 - chord / arc.clamp_min(1e-12)).clamp_min(0)


class BracketError(Metric):
    """Mean of :func:`bracket_error` over pairs of paths and latents."""

    higher_is_better = False
    full_state_update = False
    errors: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("errors", [], dist_reduce_fx="cat")

    def update(
        self, paths: Paths, latents: Tensor, k: Tensor, l: Tensor, given: dict[str, Tensor] | None = None
    ) -> None:
        """Takes latents :math:`(N, D)`, two paths for each, and what the latents' codes have given."""
        self.errors.append(bracket_error(paths, latents, k, l, given))

    def compute(self) -> Tensor:
        return dim_zero_cat(self.errors).double().mean()


class Curvature(Metric):
    """The turning of each path: ``spread`` over latents (:func:`direction_spread`) and ``bend`` along itself
    (:func:`bend`), each :math:`(K,)`.

    Neither way is better: it describes a method.
    """

    higher_is_better = None
    full_state_update = False
    directions: list[Tensor]
    bends: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("directions", [], dist_reduce_fx="cat")
        self.add_state("bends", [], dist_reduce_fx="cat")

    def update(self, directions: Tensor, points: Tensor) -> None:
        """Takes the paths' directions at latents :math:`(N, K, D)`, and points along them :math:`(N, K, S, D)`."""
        self.directions.append(directions)
        self.bends.append(bend(points.flatten(0, 1)).unflatten(0, points.shape[:2]))

    def compute(self) -> dict[str, Tensor]:
        return {"spread": direction_spread(dim_zero_cat(self.directions)), "bend": dim_zero_cat(self.bends).mean(0)}


class Fields(Measurement):
    """Lie brackets of all pairs of chosen paths, and how much the paths turn: latents only."""

    @torch.no_grad()
    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        space, paths, plan, protocol = setting.subject.space, setting.subject.paths, setting.plan, setting.protocol
        device, chosen = space.device, plan.paths.to(space.device)
        codes = paths.anchor(
            space, space.sample(protocol.ranking_latents, stream(setting.seed, RANKING, 0, EVALUATION))
        )
        first, second = torch.triu_indices(len(chosen), len(chosen), 1, device=device)
        num = len(codes.latents)
        found = []
        if len(first):
            bracket = BracketError()
            every = codes.repeat(len(first))
            bracket.update(paths, every.latents, chosen[first].repeat(num), chosen[second].repeat(num), every.given)
            found.append(("bracket", bracket.compute(), "per unit of length", "lower"))
        unit = plan.amounts.mean().item() / protocol.length  # about one unit of length
        directions = paths.fan(codes.latents, 0.1 * unit, codes.given) - codes.latents[:, None]
        shares = torch.tensor(SHARES, device=device)
        many = codes.repeat(len(chosen) * len(shares))
        k = chosen.repeat_interleave(len(shares)).repeat(num)
        eps = (plan.amounts.to(device)[chosen][:, None] * shares).flatten().repeat(num)
        points = paths.shift(many.latents, k, eps, many.given).unflatten(0, (num, len(chosen), len(shares)))
        curvature = Curvature()
        curvature.update(directions[:, chosen], points)
        turning = curvature.compute()
        for name, unit_of in (("spread", "1 - cosine"), ("bend", "1 - chord / arc")):
            found.append((f"curvature/{name}", turning[name].mean(), unit_of, ""))
        return [Score(name, value.item(), NAN, NAN, num, unit_of, better) for name, value, unit_of, better in found]
