"""The recovery of known factors by coordinates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from latent_lab.attributes.factors import TrueFactors
from latent_lab.metrics.base import NAN, PRIOR, Bootstrap, Measurement, Score, Setting
from latent_lab.metrics.path_choice import assign
from latent_lab.metrics.side_effects import purity
from latent_lab.ops.streams import EVALUATION, stream

if TYPE_CHECKING:
    from latent_lab.evaluation.subject import Subject


def squared_correlations(codes: Tensor, factors: Tensor) -> Tensor:
    """Squared Pearson correlation of each coordinate :math:`(N, K)` with each factor :math:`(N, A)`, with shape
    :math:`(K, A)`."""
    centred = [values.double() - values.double().mean(0) for values in (codes, factors)]
    unit = [values / torch.linalg.vector_norm(values, dim=0).clamp_min(1e-12) for values in centred]
    return (unit[0].mT @ unit[1]).square()


def matched_r2(codes: Tensor, factors: Tensor) -> float:
    """Mean squared correlation of each factor with a coordinate of its own."""
    table = squared_correlations(codes, factors)
    attributes, paths = assign(table)
    return table[paths, attributes].mean().item()


def dci(codes: Tensor, factors: Tensor) -> dict[str, float]:
    r"""Disentanglement, completeness and informativeness, with importances from linear regression of factors on
    coordinates.

    References:
        | A Framework for the Quantitative Evaluation of Disentangled Representations (Eastwood & Williams, 2018),
          Section 2
        | https://openreview.net/forum?id=By-7dz-AZ

    Returns:
        ``disentanglement`` and ``completeness``, one minus a weighted mean normalised entropy of the importances' rows
        and columns, and ``informativeness``, the mean :math:`R^2` of the regression.
    """
    x, y = [
        (values.double() - values.double().mean(0)) / values.double().std(0).clamp_min(1e-12)
        for values in (codes, factors)
    ]
    weights = torch.linalg.lstsq(x, y).solution
    informative = 1 - (y - x @ weights).square().sum(0) / y.square().sum(0)
    importance = weights.abs()

    def concentration(table: Tensor) -> float:
        share = table / table.sum(1, keepdim=True).clamp_min(1e-12)
        entropy = -torch.special.xlogy(share, share).sum(1) / torch.tensor(float(max(table.shape[1], 2))).log()
        return ((1 - entropy) * table.sum(1)).sum().item() / table.sum().clamp_min(1e-12).item()

    return {
        "disentanglement": concentration(importance),
        "completeness": concentration(importance.mT),
        "informativeness": informative.mean().item(),
    }


def cut(values: Tensor, bins: int) -> Tensor:
    """Return the number of the part, from 0 to ``bins`` - 1, in which each value of a column of :math:`(N, A)` lies.

    The parts are equally filled as far as values differ: equal values share a part, that of their middle rank.

    Example:
        >>> cut(torch.tensor([[0.0], [1.0], [1.0], [1.0], [2.0], [3.0]]), 3).flatten()
        tensor([0, 1, 1, 1, 2, 2])
    """
    parts = torch.empty(values.shape, dtype=torch.long)
    for a, column in enumerate(values.mT):
        _, which, counts = column.unique(return_inverse=True, return_counts=True)
        middle = counts.cumsum(0) - (counts + 1) / 2  # ranks from 0
        parts[:, a] = (middle * bins / len(column)).long()[which]
    return parts


def mutual_information_gap(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    r"""Return the mean over factors of the gap between the two most informative coordinates.

    .. math:: \frac{1}{A} \sum_a \frac{I(c_{k_a}; f_a) - \max_{k \ne k_a} I(c_k; f_a)}{H(f_a)}, \qquad
        k_a = \arg\max_k I(c_k; f_a)

    Both are cut into at most ``bins`` parts, see :func:`cut`; H is the entropy of the factor's parts. Factors
    that do not vary are left out; nan where none does.

    References:
        | Isolating Sources of Disentanglement in Variational Autoencoders (Chen et al., 2018), Eq. 6
        | https://arxiv.org/abs/1802.04942

    Arguments:
        codes: Coordinates, with shape :math:`(N, K)`.
        factors: Factors of the same images, with shape :math:`(N, A)`.
        bins: Number of parts.
    """
    num = len(codes)
    coordinates, known = cut(codes, bins), cut(factors, bins)
    information = torch.zeros(codes.shape[1], factors.shape[1], dtype=torch.float64)
    entropy = torch.zeros(factors.shape[1], dtype=torch.float64)
    for a, factor in enumerate(known.mT):
        share = torch.bincount(factor, minlength=bins).double() / num
        entropy[a] = -torch.special.xlogy(share, share).sum()
        for k, coordinate in enumerate(coordinates.mT):
            joint = torch.bincount(coordinate * bins + factor, minlength=bins * bins).double().view(bins, bins) / num
            independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
            information[k, a] = torch.special.xlogy(joint, joint / independent.clamp_min(1e-300)).sum()
    best = information.topk(min(2, len(information)), 0).values
    gap = best[0] - best[1] if len(best) > 1 else best[0]
    return (gap / entropy)[entropy > 0].mean().item()


class FactorRecovery(Metric):
    """``r2``, ``mig``, ``dci_disentanglement``, ``dci_completeness`` and ``dci_informativeness`` of coordinates against
    factors."""

    higher_is_better = True
    full_state_update = False
    codes: list[Tensor]
    factors: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("codes", [], dist_reduce_fx="cat")
        self.add_state("factors", [], dist_reduce_fx="cat")

    def update(self, codes: Tensor, factors: Tensor) -> None:
        """Takes coordinates :math:`(N, K)` and the factors of the same images :math:`(N, A)`."""
        self.codes.append(codes)
        self.factors.append(factors)

    def compute(self) -> dict[str, float]:
        codes, factors = dim_zero_cat(self.codes), dim_zero_cat(self.factors)
        scores = {"r2": matched_r2(codes, factors), "mig": mutual_information_gap(codes, factors)}
        return scores | {f"dci_{name}": value for name, value in dci(codes, factors).items()}


class Recovery(Measurement):
    """Exact scores against known factors: purity and side effects of matched paths at equal length, and
    :class:`FactorRecovery` of their coordinates."""

    def obstacle(self, subject: Subject) -> str:
        attributes = getattr(subject.attributes, "attributes", subject.attributes)  # a selection of them
        return "" if isinstance(attributes, TrueFactors) else "the generator's factors are not known"

    @torch.no_grad()
    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        space, paths, protocol = setting.subject.space, setting.subject.paths, setting.protocol
        codes = paths.anchor(space, space.sample(protocol.prior_latents, stream(setting.seed, PRIOR, 2, EVALUATION)))
        every = codes.repeat(paths.num_paths)
        k = torch.arange(paths.num_paths, device=every.latents.device).repeat(len(codes.latents))
        moved = paths.shift(every.latents, k, setting.plan.amounts.to(every.latents)[k], every.given)
        factors = cast(Callable[[Tensor], Tensor], space.generator.factors)  # there are some, see obstacle
        change = (factors(moved) - factors(every.latents)).abs().unflatten(0, (-1, paths.num_paths)).cpu()  # (N, K, A)
        attributes, matched = assign(purity(change.mean(0)))

        def own_share(mean: Tensor) -> Tensor:
            return purity(mean)[matched, attributes]

        boot = Bootstrap(len(change), min(protocol.resamples, 200), stream(setting.seed, PRIOR, 3, EVALUATION))
        resampled = torch.stack([own_share(change[index].mean(0)) for index in boot.index])
        own, num = own_share(change.mean(0)), len(change)

        def side(share: Tensor) -> Tensor:
            return 100 * ((1 - share) / share.clamp_min(1e-6)).mean(-1)

        scores = [
            Score("recovery/purity", own.mean().item(), *boot.interval(resampled.mean(1)), num, "share", "higher"),
            Score("recovery/side_effects", side(own).item(), *boot.interval(side(resampled)), num, "%", "lower"),
        ]
        coordinates = paths.coordinates(codes.latents)
        if coordinates is None:
            return scores
        metric = FactorRecovery()
        metric.update(coordinates.cpu(), factors(codes.latents).cpu())
        return scores + [
            Score(f"recovery/{name}", value, NAN, NAN, num, "", "higher") for name, value in metric.compute().items()
        ]

    def notes(self, observed: Mapping[str, Tensor], setting: Setting) -> list[str]:
        paths, space = setting.subject.paths, setting.subject.space
        if paths.coordinates(torch.zeros(1, *space.shape, device=space.device)) is not None:
            return []
        return [f"R2, DCI and MIG were not measured: {type(paths).__name__} are not the axes of coordinates"]
