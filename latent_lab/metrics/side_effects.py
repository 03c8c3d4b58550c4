"""How much an edit of one attribute changes the others."""

from __future__ import annotations

import latent_lab.cpu_torchvision  # noqa: F401  (before torchmetrics)

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


def change_per_path(k: Tensor, changes: Tensor, num_paths: int) -> Tensor:
    r"""Mean of the absolute changes :math:`(N, A)` of each path, with shape :math:`(K, A)`; nan for a path that was not taken."""
    sums = changes.new_zeros(num_paths, changes.shape[1]).index_add_(0, k, changes.abs())
    return sums / torch.bincount(k, minlength=num_paths).to(changes)[:, None]


def assign_paths(change: Tensor) -> tuple[Tensor, Tensor]:
    """A path for each attribute, none used twice, that maximises the purity of the changes :math:`(K, A)`.

    Purity is the share of a path's change that falls on its attribute. With fewer paths than attributes the attributes left
    out get none. Returns the attributes and their paths, with the same length.
    """
    purity = torch.nan_to_num(change / change.sum(1, keepdim=True))
    paths, attributes = linear_sum_assignment(-purity.cpu().numpy())
    order = attributes.argsort()
    return torch.as_tensor(attributes[order]), torch.as_tensor(paths[order])


def side_effect_error(change: Tensor, attributes: Tensor, paths: Tensor) -> Tensor:
    r"""Matrix of :math:`100\, \mathbb{E}|\Delta A_l| / \mathbb{E}|\Delta A_k|` in percent: row target k, column l, diagonal 100.

    Arguments:
        change: Mean absolute changes of each path in units of the attributes' standard deviations, with shape :math:`(K, A)`.
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
        """Mean absolute change of each path in standard deviations of the attributes over the originals, with shape :math:`(K, A)`."""
        deviation = dim_zero_cat(self.originals).std(0).clamp_min(1e-6)
        return change_per_path(dim_zero_cat(self.paths), dim_zero_cat(self.changes) / deviation, self.num_paths)

    def matrix(self) -> tuple[Tensor, Tensor, Tensor]:
        """The matrix, its target attributes and their paths."""
        change = self.change()
        attributes, paths = assign_paths(change)
        return side_effect_error(change, attributes, paths), attributes, paths

    def compute(self) -> Tensor:
        matrix, attributes, _ = self.matrix()
        mask = torch.ones_like(matrix, dtype=torch.bool).scatter_(1, attributes.to(matrix.device)[:, None], False)
        return matrix[mask].nanmean()  # a path that was not taken has no change
