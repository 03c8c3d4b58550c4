"""The change of other attributes by an edit of one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from latent_lab.metrics.base import NAN, Matrix, Measurement, Picture, Score, Setting
from latent_lab.metrics.bootstrap import Bootstrap
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

    def __init__(self, num_paths: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.num_paths = num_paths
        self.add_state("paths", [], dist_reduce_fx="cat")
        self.add_state("changes", [], dist_reduce_fx="cat")
        self.add_state("originals", [], dist_reduce_fx="cat")

    def update(self, views, pair) -> None:
        """Takes the views of the original and of the single edit ``k``, with attributes."""
        self.paths.append(pair.k)
        self.originals.append(views[""].attributes.detach())
        self.changes.append((views["k"].attributes - views[""].attributes).detach())

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


class EqualChangeSideEffects(Metric):
    r"""The side-effect matrix of chosen paths, each edited until its own attribute has changed as much as the others'
    have.

    .. math:: 100\, \frac{\sum_i |\Delta A_l(z_i)|}{\sum_i |\Delta A_k(z_i)|}

    Arguments:
        targets: The attribute of each chosen path, with shape :math:`(P,)`.
        num_attributes: Number A of attributes.
    """

    higher_is_better = False
    full_state_update = False

    def __init__(self, targets: Tensor, num_attributes: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.register_buffer("targets", targets)
        self.num_attributes = num_attributes
        self.add_state("changes", [], dist_reduce_fx="cat")

    def update(self, changes: Tensor) -> None:
        """Takes absolute changes in standard deviations, with shape :math:`(N, P, A)`; nan where a change was not
        reached or measured."""
        self.changes.append(changes.abs())

    def matrix(self, index: Tensor | None = None) -> Tensor:
        """In percent, with shape :math:`(P, A)`; ``index`` chooses latents. A row that was not reached is nan."""
        changes = dim_zero_cat(self.changes)
        mean = (changes if index is None else changes[index]).nanmean(0)
        return side_effect_error(mean, self.targets, torch.arange(len(self.targets)))

    def off_diagonal(self, matrix: Tensor) -> Tensor:
        """The matrix's entries that are side effects, of the rows that were reached."""
        others = torch.ones_like(matrix, dtype=torch.bool).scatter_(1, self.targets.to(matrix.device)[:, None], False)
        return matrix[others & matrix.isfinite()]

    def compute(self) -> Tensor:
        """Mean off-diagonal entry."""
        return self.off_diagonal(self.matrix()).mean()


class SideEffects(Measurement):
    """Side effects at each equal change of the paths' own attributes: mean and worst entry, purity, the share of paths
    that reach the change, and the matrix, see :class:`EqualChangeSideEffects`."""

    needs = ("equal",)
    pictures = {
        "side_effects": Picture(
            "Change of every attribute (columns) when a path's own attribute (rows) has changed by the same amount for "
            "all paths, in percent of that change.",
            "side effects at equal change",
        )
    }

    def observe(self, views: Views) -> dict[str, Tensor]:
        return {"change": views.equal.change}

    def at_each_change(
        self, observed: Mapping[str, Tensor], setting: Setting
    ) -> list[tuple[float, EqualChangeSideEffects]]:
        """Return each change with the metric that has taken what was observed at it."""
        found = []
        for column, change in enumerate(setting.protocol.changes):
            metric = EqualChangeSideEffects(setting.plan.targets, observed["change"].shape[-1])
            metric.update(observed["change"][:, :, column])
            found.append((float(change), metric))
        return found

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        return [
            score
            for change, metric in self.at_each_change(observed, setting)
            for score in effects(f"side_effects/{change:+g}", metric, setting.bootstrap, len(observed["change"]))
        ]

    def matrices(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Matrix]:
        labels, names = setting.plan.labels, list(setting.subject.attributes.names)
        values = {
            f"side_effects/{change:+g}": metric.matrix() for change, metric in self.at_each_change(observed, setting)
        }
        shown = [name for name, matrix in values.items() if matrix.isfinite().any()][-1:]
        return {
            name: Matrix(matrix, labels, names, "%", "target", "changed", "side_effects" if name in shown else "")
            for name, matrix in values.items()
        }

    def left_out(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Tensor]:
        return {"single edits": observed["change"][:, setting.plan.equal.isfinite()].isnan().any(-1)}


def effects(name: str, metric: EqualChangeSideEffects, bootstrap: Bootstrap, num: int) -> list[Score]:
    """Return the scores at one change."""
    matrix = metric.matrix()
    reached = matrix.isfinite().all(1)
    if not reached.any() or metric.num_attributes < 2:
        return [Score(f"{name}/mean", NAN, NAN, NAN, num, "%", "lower")]
    resampled = [metric.off_diagonal(metric.matrix(index)) for index in bootstrap.index]
    resampled = [values for values in resampled if len(values)]  # not of latents of which none was measured
    share = 100 / matrix[reached].sum(1)
    mean = bootstrap.interval(torch.stack([values.mean() for values in resampled]))
    worst = bootstrap.interval(torch.stack([values.max() for values in resampled]))
    return [
        Score(f"{name}/mean", metric.compute().item(), *mean, num, "%", "lower"),
        Score(f"{name}/worst", metric.off_diagonal(matrix).max().item(), *worst, num, "%", "lower"),
        Score(f"{name}/purity", share.mean().item(), NAN, NAN, num, "share", "higher"),
        Score(f"{name}/reached", reached.double().mean().item(), NAN, NAN, num, "share of paths", "higher"),
    ]
