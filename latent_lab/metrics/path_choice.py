"""Which path is which attribute, and how far along it one unit of the attribute lies."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchmetrics import Metric

SHARES = (-2.0, -4 / 3, -2 / 3, 2 / 3, 4 / 3, 2.0)  # of the compared length, on a traversal


def traversal_correlation(change: Tensor, amounts: Tensor, measured: Tensor | None = None) -> Tensor:
    r"""Pearson's correlation of an attribute with the amount along what was measured of a traversal; 0 where the
    attribute does not change.

    The published ranking divides the covariance by the amounts' deviation only, which measures steepness.

    Arguments:
        change: Attributes along the traversal, with shape :math:`(\dots, S)`.
        amounts: Signed amounts, broadcastable to it.
        measured: True for each step that counts, with the shape of ``change``; None for all.
    """
    measured = torch.ones_like(change) if measured is None else measured
    num = measured.sum(-1, keepdim=True).clamp_min(1)
    x, y = ((values - (values * measured).sum(-1, keepdim=True) / num) * measured for values in (amounts, change))
    scale = torch.linalg.vector_norm(x, dim=-1) * torch.linalg.vector_norm(y, dim=-1)
    return (x * y).sum(-1) / scale.clamp_min(1e-12)


def assign(scores: Tensor) -> tuple[Tensor, Tensor]:
    """A path for each attribute, none used twice, that maximises the sum of the scores :math:`(K, A)`.

    With fewer paths than attributes the attributes left out get none. Returns the attributes and their paths, with the
    same length.
    """
    paths, attributes = linear_sum_assignment(-torch.nan_to_num(scores).cpu().numpy())
    order = attributes.argsort()
    return torch.as_tensor(attributes[order]), torch.as_tensor(paths[order])


class PathChoice(Metric):
    r"""The change of each attribute by each path along a traversal, in standard deviations of the attribute.

    ``correlation``: mean over latents of Pearson's correlation with the amount, signed. ``steepness``: slope of the
    mean change per unit of length. ``disentanglement``: the attribute's share of the path's absolute change. A step at
    which nothing was measured, as where a long edit leaves no face, does not count; neither does a traversal of which
    less than half was measured.

    Arguments:
        amounts: Signed amounts of each path's traversal without 0, with shape :math:`(K, S)`.
        lengths: The realised lengths that they stand for, with shape :math:`(S,)`.
        num_attributes: Number A of attributes.
    """

    higher_is_better = True
    full_state_update = False

    def __init__(self, amounts: Tensor, lengths: Tensor, num_attributes: int, **kwargs) -> None:
        super().__init__(**kwargs)
        num_paths, steps = amounts.shape
        self.register_buffer("amounts", amounts)
        self.register_buffer("lengths", lengths)
        self.add_state("correlations", torch.zeros(num_paths, num_attributes), dist_reduce_fx="sum")
        self.add_state("curves", torch.zeros(num_paths, steps, num_attributes), dist_reduce_fx="sum")
        self.add_state("absolute", torch.zeros(num_paths, num_attributes), dist_reduce_fx="sum")
        self.add_state("seen", torch.zeros(num_paths, steps, num_attributes), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(num_paths, num_attributes), dist_reduce_fx="sum")

    def update(self, change: Tensor) -> None:
        """Takes standardised changes with shape :math:`(N, K, S, A)`; nan where nothing was measured."""
        measured = change.isfinite()
        change = change.nan_to_num(0.0)
        self.curves += change.sum(0)
        self.seen += measured.sum(0)
        enough = measured.double().mean(2) >= 0.5  # (N, K, A)
        # the original lies on the traversal too
        whole, known = (
            torch.cat([x, torch.full_like(x[:, :, :1], start)], 2).transpose(2, 3)
            for x, start in ((change, 0), (measured, True))
        )
        amounts = torch.cat([self.amounts, torch.zeros_like(self.amounts[:, :1])], 1)
        self.correlations += (enough * traversal_correlation(whole, amounts[:, None], known)).sum(0)
        self.absolute += (enough * change.abs().sum(2) / measured.sum(2).clamp_min(1)).sum(0)
        self.count += enough.sum(0)

    def curve(self) -> Tensor:
        """Mean change along each path of the latents that were measured there, with shape :math:`(K, S, A)`; nan where
        there were none."""
        return self.curves / self.seen

    def compute(self) -> dict[str, Tensor]:
        count = self.count.clamp_min(1)
        absolute = self.absolute / count
        known = self.seen > 0
        slope = torch.einsum("s,ksa->ka", self.lengths, self.curve().nan_to_num(0.0))
        slope = slope / torch.einsum("s,ksa->ka", self.lengths.square(), known.to(slope)).clamp_min(1e-12)
        return {
            "correlation": self.correlations / count,
            "steepness": slope,
            "disentanglement": absolute / absolute.sum(1, keepdim=True).clamp_min(1e-12),
        }
