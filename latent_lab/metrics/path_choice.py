"""Which path is which attribute, and how far along it one unit of the attribute lies."""

from __future__ import annotations

import latent_lab.cpu_torchvision  # noqa: F401  (before torchmetrics)

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchmetrics import Metric


def traversal_correlation(change: Tensor, amounts: Tensor) -> Tensor:
    r"""Pearson's correlation of an attribute with the amount along a traversal; 0 where the attribute does not change.

    The published ranking divides the covariance by the amounts' deviation only, which measures steepness.

    Arguments:
        change: Attributes along the traversal, with shape :math:`(\dots, S)`.
        amounts: Signed amounts, broadcastable to it.
    """
    x, y = amounts - amounts.mean(-1, keepdim=True), change - change.mean(-1, keepdim=True)
    scale = torch.linalg.vector_norm(x, dim=-1) * torch.linalg.vector_norm(y, dim=-1)
    return (x * y).sum(-1) / scale.clamp_min(1e-12)


def assign(scores: Tensor) -> tuple[Tensor, Tensor]:
    """A path for each attribute, none used twice, that maximises the sum of the scores :math:`(K, A)`.

    With fewer paths than attributes the attributes left out get none. Returns the attributes and their paths, with the same length.
    """
    paths, attributes = linear_sum_assignment(-torch.nan_to_num(scores).cpu().numpy())
    order = attributes.argsort()
    return torch.as_tensor(attributes[order]), torch.as_tensor(paths[order])


def amount_for_change(amounts: Tensor, curve: Tensor, change: float) -> float:
    """The smallest amount, of either sign, at which the curve reaches ``change``; nan if it does not.

    Arguments:
        amounts, curve: The traversal, both with shape :math:`(S,)`; the original (0, 0) is added.
        change: The change of the attribute that is wanted.
    """
    x, y = np.append(amounts.double().cpu().numpy(), 0.0), np.append(curve.double().cpu().numpy(), 0.0)
    order = x.argsort()
    x, y = x[order], y[order] - change
    crossings = [
        x[i] + (x[i + 1] - x[i]) * y[i] / (y[i] - y[i + 1]) for i in range(len(x) - 1) if y[i] * y[i + 1] <= 0 and y[i] != y[i + 1]
    ]
    return float(min(crossings, key=abs)) if crossings else float("nan")


class PathChoice(Metric):
    r"""How each path moves each attribute along a traversal, in standard deviations of the attribute.

    ``correlation``: mean over latents of Pearson's correlation with the amount, signed. ``steepness``: slope of the mean
    change per unit of length. ``disentanglement``: the attribute's share of the path's absolute change.

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
        self.add_state("count", torch.zeros(num_paths, num_attributes), dist_reduce_fx="sum")

    def update(self, change: Tensor) -> None:
        """Takes standardised changes with shape :math:`(N, K, S, A)`; a traversal with a nan, where nothing was measured, does not count."""
        measured = change.isfinite().all(2)  # (N, K, A)
        change = change.nan_to_num(0.0) * measured[:, :, None]
        # the original lies on the traversal too
        whole = torch.cat([change, torch.zeros_like(change[:, :, :1])], 2).transpose(2, 3)
        amounts = torch.cat([self.amounts, torch.zeros_like(self.amounts[:, :1])], 1)
        self.correlations += traversal_correlation(whole, amounts[:, None]).sum(0)
        self.curves += change.sum(0)
        self.absolute += change.abs().mean(2).sum(0)
        self.count += measured.sum(0)

    def curve(self) -> Tensor:
        """Mean change along each path, with shape :math:`(K, S, A)`."""
        return self.curves / self.count.clamp_min(1)[:, None]

    def compute(self) -> dict[str, Tensor]:
        count = self.count.clamp_min(1)
        absolute = self.absolute / count
        slope = torch.einsum("s,ksa->ka", self.lengths, self.curve()) / self.lengths.square().sum()
        return {
            "correlation": self.correlations / count,
            "steepness": slope,
            "disentanglement": absolute / absolute.sum(1, keepdim=True).clamp_min(1e-12),
        }
