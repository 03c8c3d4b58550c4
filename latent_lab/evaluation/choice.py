"""The first pass over all paths: what a short edit along each does to each attribute, and who goes on from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.edits.lengths import find_amounts
from latent_lab.edits.moves import Moves
from latent_lab.edits.views import measure_in_batches
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.paths.base import Paths


class FirstPass(NamedTuple):
    """The changes by short edits along all paths.

    Arguments:
        change: Changes of all attributes in their units by an edit forwards and one backwards, with shape
            :math:`(R, K, 2, A)`; 0 for a path that moves nothing.
        selectivity: Share of each attribute in the changes of the targets and itself, the mean over latents and both
            edits, with shape :math:`(K, A)`; an edit the wrong way counts 0.
        signs: 1 where an attribute grows with the path's amount, else -1, with shape :math:`(K, A)`.
    """

    change: Tensor
    selectivity: Tensor
    signs: Tensor


def find_signs(change: Tensor) -> Tensor:
    """Return the sign of each path for each attribute, 1 or -1, with shape :math:`(\\dots, K, A)`: that of the mean
    change by the edit forwards minus that by the one backwards.

    Arguments:
        change: Changes by both edits, with shape :math:`(\\dots, R, K, 2, A)`; nan where they were not measured.
    """
    difference = (change[..., 0, :] - change[..., 1, :]).nanmean(-3)
    return torch.where(difference < 0, -1, 1)


def measure_selectivity(change: Tensor, deviation: Tensor, targets: Tensor) -> Tensor:
    r"""Return the share of each attribute in the changes by edits, with shape :math:`(R, K, 2, A)`.

    .. math:: s_a = \frac{|d_a|}{\sum_{j \in T \cup \{a\}} |d_j|}

    with changes d in deviations over the prior; 0 where nothing changes or was measured, or where the edit goes the
    other way than the path's sign.

    Arguments:
        change: Changes in the attributes' units by an edit forwards and one backwards, with shape :math:`(R, K, 2, A)`.
        deviation: Deviations over the prior, with shape :math:`(A,)`; attributes that do not vary count 0.
        targets: Columns of the targets T.
    """
    standard = (change / deviation.where(deviation > 0, torch.full_like(deviation, float("inf")))).double()
    sizes = standard.abs()
    total = sizes[..., targets].sum(-1, keepdim=True)
    others = torch.ones(change.shape[-1], dtype=torch.bool)
    others[targets] = False
    share = sizes / (total + sizes * others.to(sizes))
    forward = torch.tensor([1.0, -1.0], dtype=torch.float64)[:, None]
    right = standard * forward * find_signs(change)[:, None] > 0
    return share.where(right & share.isfinite(), torch.zeros_like(share))


@torch.no_grad()
def take_first_pass(
    space: LatentSpace,
    paths: Paths,
    attributes: Attributes,
    codes: Codes,
    before: Tensor,
    scales: Tensor,
    deviation: Tensor,
    targets: Tensor,
    length: float,
    batch_size: int,
) -> FirstPass:
    """Edit each ranking latent along every path, forwards and backwards, and measure what changes.

    Arguments:
        space, paths, attributes: The space, its K paths, and what measures the images.
        codes: R anchored codes.
        before: Attributes of their images, with shape :math:`(R, A)`.
        scales: An amount of each path that is about ``length`` long; nan for a path that moves nothing.
        deviation, targets: See :func:`measure_selectivity`.
        length: Realised length of the edits, in units of the latent.
        batch_size: Images decoded at once.
    """
    device = codes.latents.device
    moving = scales.isfinite().nonzero()[:, 0]
    change = torch.zeros(len(codes), paths.num_paths, 2, before.shape[1])
    k = moving.repeat_interleave(2)
    eps = scales[k] * torch.tensor([1.0, -1.0], device=device).repeat(len(moving))
    chunk = max(1, batch_size // max(1, len(k)))
    for rows in torch.arange(len(codes)).split(chunk) if len(moving) else ():
        many = codes.select(rows.to(device)).repeat(len(k))
        moves = Moves(many, k.repeat(len(rows)), eps.repeat(len(rows)))
        amounts = find_amounts(space, paths, moves, torch.full_like(moves.eps, length))
        moved = many.moved(paths.shift(many.latents, moves.k, amounts, many.given))
        after = measure_in_batches(space, moved, attributes, batch_size)
        found = attributes.change(before[rows].to(after).repeat_interleave(len(k), 0), after)
        change[rows[:, None], moving.cpu()] = found.cpu().unflatten(0, (len(rows), len(moving), 2))
    return FirstPass(change, measure_selectivity(change, deviation, targets).mean((0, 2)), find_signs(change))


def choose_candidates(selectivity: Tensor, targets: Tensor, num: int, own: Mapping[int, int]) -> list[tuple[int, int]]:
    """Return (path, attribute) of the best ``num`` paths of each target, best first, then of the paths of its own name.

    Arguments:
        selectivity: That of the first pass, with shape :math:`(K, A)`.
        targets: Columns of the targets.
        num: Candidates of each target.
        own: The path that the method made for an attribute, by the attribute's column.
    """
    best = [
        (int(path), int(a)) for a in targets for path in selectivity[:, a].argsort(descending=True, stable=True)[:num]
    ]
    named = [(own[int(a)], int(a)) for a in targets if int(a) in own]
    return best + named
