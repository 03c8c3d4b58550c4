"""The change of other attributes by an edit of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from latent_lab.edits.views import Pair, View
from latent_lab.metrics.base import NAN, Matrix, Measurement, Picture, Score, Setting
from latent_lab.metrics.bootstrap import Resamples, score_resamples
from latent_lab.metrics.path_choice import assign
from latent_lab.metrics.views import Views


def change_per_path(k: Tensor, changes: Tensor, num_paths: int) -> Tensor:
    r"""Mean of the absolute changes :math:`(N, A)` of each path, with shape :math:`(K, A)`; nan for a path that was not
    taken."""
    sums = changes.new_zeros(num_paths, changes.shape[1]).index_add_(0, k, changes.abs())
    return sums / torch.bincount(k, minlength=num_paths).to(changes)[:, None]


def purity(change: Tensor) -> Tensor:
    """Share of each path's change :math:`(K, A)` that falls on each attribute; 0 for a path that changes nothing."""
    return torch.nan_to_num(change / change.sum(1, keepdim=True))


def side_effect_error(change: Tensor, attributes: Tensor, paths: Tensor) -> Tensor:
    r"""Matrix of :math:`100\, \mathbb{E}|\Delta A_l| / \mathbb{E}|\Delta A_k|` in percent: row target k, column l,
    diagonal 100.

    Arguments:
        change: Mean absolute changes of each path in units of the attributes' standard deviations, with shape
            :math:`(K, A)`.
        attributes, paths: The path of each target attribute.
    """
    rows = change[paths.to(change.device)]
    return 100 * rows / rows.gather(1, attributes.to(change.device)[:, None])


class SideEffectError(Metric):
    r"""Mean off-diagonal entry of the side-effect matrix over the attributes' best paths, in percent.

    References:
        | Deep Curvilinear Editing (Aoshima & Matsubara, 2023), Table 3
        | https://arxiv.org/abs/2211.14573

    Arguments:
        num_paths: Number K of paths.
    """

    higher_is_better = False
    full_state_update = False
    sequences = ("k",)
    paths: list[Tensor]
    changes: list[Tensor]
    originals: list[Tensor]

    def __init__(self, num_paths: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_paths = num_paths
        self.add_state("paths", [], dist_reduce_fx="cat")
        self.add_state("changes", [], dist_reduce_fx="cat")
        self.add_state("originals", [], dist_reduce_fx="cat")

    def update(self, views: Mapping[str, View], pair: Pair) -> None:
        """Takes the views of the original and of the single edit ``k``, with attributes."""
        self.paths.append(pair.k)
        before, after = views[""].require_attributes(), views["k"].require_attributes()
        self.originals.append(before.detach())
        self.changes.append((after - before).detach())

    def change(self) -> Tensor:
        """Mean absolute change of each path in standard deviations of the attributes over the originals, with shape
        :math:`(K, A)`."""
        originals, changes = dim_zero_cat(self.originals), dim_zero_cat(self.changes)
        measured = changes.isfinite().all(1)  # a predictor may find nothing to measure in an image
        deviation = originals[originals.isfinite().all(1)].std(0).clamp_min(1e-6)
        return change_per_path(dim_zero_cat(self.paths)[measured], changes[measured] / deviation, self.num_paths)

    def matrix(self) -> tuple[Tensor, Tensor, Tensor]:
        """The matrix, its target attributes and their paths."""
        change = self.change()
        attributes, paths = assign(purity(change))
        return side_effect_error(change, attributes, paths), attributes, paths

    def compute(self) -> Tensor:
        matrix, attributes, _ = self.matrix()
        mask = torch.ones_like(matrix, dtype=torch.bool).scatter_(1, attributes.to(matrix.device)[:, None], False)
        return matrix[mask].nanmean()  # a path that was not taken has no change


def effects_at_change(change: Tensor, reached: Tensor, own: Tensor, deviation: Tensor) -> Tensor:
    r"""Return the side effects of each path in percent, with shape :math:`(\dots, T, A)`; nan for a path that reached
    nothing.

    .. math:: 100\, \frac{\mathbb{E}|d_l|}{|\mathbb{E}\, d_k|}

    with changes d in standard deviations over the prior, over the latents that reached the change. The denominator is
    signed: a path that moves half of the latents the wrong way gains nothing by it.

    Arguments:
        change: Changes of all attributes in their units, with shape :math:`(\dots, N, T, A)`.
        reached: Which latents reached the change, with shape :math:`(\dots, N, T)`.
        own: Column of each path's own attribute, with shape :math:`(T,)`.
        deviation: Deviations over the prior, with shape :math:`(\dots, A)`; columns of attributes that do not vary are
            nan.
    """
    unit = deviation.double()[..., None, None, :]
    standard = change.double() / unit.where(unit > 0, torch.full_like(unit, NAN))
    standard = standard.where(reached[..., None], torch.full_like(standard, NAN))
    signed = standard.gather(-1, own[:, None].expand(*standard.shape[:-1], 1)).nanmean(-3).abs()  # (..., T, 1)
    return 100 * standard.abs().nanmean(-3) / signed


class SideEffects(Measurement):
    """The paper's table at each equal change: the mean and the worst side effect on other targets, and the matrix with
    all measured attributes, see :func:`effects_at_change`.

    It is over the latents that reached the change alone, and says which share of the asked ones that is.

    References:
        | Deep Curvilinear Editing (Aoshima & Matsubara, 2023), Table 3
        | https://arxiv.org/abs/2211.14573
    """

    needs = ("equal",)
    pictures = {
        "side_effects": Picture(
            "Change of every attribute (columns) when a path's own attribute (rows) has changed by the same amount for "
            "all paths, in percent of that change.",
            "side effects at equal change",
        )
    }

    def observe(self, views: Views) -> dict[str, Tensor]:
        equal = views.equal
        return {"change": equal.change, "reached": (equal.outcome == 0) & equal.asked, "asked": equal.asked}

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        targets, changes = setting.plan.measured.columns, [float(change) for change in setting.protocol.changes]
        if len(targets) < 2:
            return []
        others, every = ~torch.eye(len(targets), dtype=torch.bool), torch.arange(len(targets))
        narrow = observed["change"][..., targets]

        def statistics(resamples: Resamples) -> dict[str, Tensor]:
            positions, deviation, found = resamples.positions, resamples.deviation[:, targets], {}
            change = resamples.take(narrow, positions)  # (B, N, T, C, T)
            reached = resamples.take(observed["reached"], positions) & resamples.take_agrees(positions)
            for column, size in enumerate(changes):
                effects = effects_at_change(change[..., column, :], reached[..., column], every, deviation)[:, others]
                effects = effects.where(effects.isfinite(), torch.full_like(effects, NAN))
                worst = effects.nan_to_num(-1.0).amax(1)
                found[f"side_effects/{size:+g}/mean"] = effects.nanmean(1)
                found[f"side_effects/{size:+g}/worst"] = worst.where(worst >= 0, torch.full_like(worst, NAN))
            return found

        first = setting.resamples.positions[0]

        def share_reached(name: str) -> float:
            column = [f"{change:+g}" for change in changes].index(name.split("/")[1])
            reached, asked = (observed[part][:, first, column].double() for part in ("reached", "asked"))
            return (reached.sum() / asked.sum()).item()

        size = narrow[:, : len(targets)].numel()
        return score_resamples(statistics, setting.resamples, size, lambda name: ("%", "lower"), share_reached)

    def matrices(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Matrix]:
        measured, first = setting.plan.measured, setting.resamples.select(slice(0, 1))
        names, labels = list(measured.attributes.names), measured.label(first.positions[0])
        change = first.take(observed["change"], first.positions)[0]
        reached = (first.take(observed["reached"], first.positions) & first.take_agrees(first.positions))[0]
        values = {
            f"side_effects/{float(size):+g}": effects_at_change(
                change[..., column, :], reached[..., column], measured.columns, first.deviation[0]
            )
            for column, size in enumerate(setting.protocol.changes)
        }
        shown = [name for name, matrix in values.items() if matrix.isfinite().any()][-1:]
        return {
            name: Matrix(matrix, labels, names, "%", "target", "changed", "side_effects" if name in shown else "")
            for name, matrix in values.items()
        }
