"""The calibration of paths: by how much each changes the attribute that it stands for, over its amounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.edits.equal_change import GRID
from latent_lab.edits.views import measure_in_batches
from latent_lab.evaluation.choice import FirstPass
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.paths.base import Paths


class ChosenPath(NamedTuple):
    """A path with the attribute that it stands for."""

    path: int
    attribute: str
    column: int  # of the attribute, among all that are measured
    sign: int  # of the path's amount for which the attribute grows
    amount: float  # whose mean realised length is the compared one
    selectivity: float  # on the ranking latents, by short edits


class Curve(NamedTuple):
    """The change of the attribute that a path stands for, over the path's amounts.

    Arguments:
        chosen: The path and its attribute.
        deviation: The attribute's standard deviation over the prior.
        target: Whether scores are means over this attribute.
        amounts: Amounts of the path, ascending, with shape :math:`(S,)`.
        changes: Mean change of the attribute there, in standard deviations; nan where none was measured.
    """

    chosen: ChosenPath
    deviation: float
    target: bool
    amounts: Tensor
    changes: Tensor


def pick(path: int, column: int, first: FirstPass, amounts: Tensor, attributes: Attributes) -> ChosenPath:
    """Return a path as the one that stands for an attribute."""
    return ChosenPath(
        path,
        attributes.names[column],
        column,
        int(first.signs[path, column]),
        amounts[path].item(),
        first.selectivity[path, column].item(),
    )


@torch.no_grad()
def calibrate(
    space: LatentSpace,
    paths: Paths,
    attributes: Attributes,
    codes: Codes,
    before: Tensor,
    picks: Sequence[ChosenPath],
    deviation: Tensor,
    targets: Tensor,
    batch_size: int,
) -> list[Curve]:
    """Measure how much each path changes the attribute that it stands for, over the lengths that edits have.

    Arguments:
        space, paths, attributes: The space, its paths, and what measures the images.
        codes: N anchored codes.
        before: All attributes of their images, with shape :math:`(N, A)`.
        picks: The paths, each with its attribute.
        deviation: Standard deviations of the attributes over the prior, with shape :math:`(A,)`.
        targets: Columns of the targets.
        batch_size: Images decoded at once.
    """
    device, num = codes.latents.device, len(codes)
    shares = torch.tensor([*GRID, *[-share for share in GRID]]).sort().values
    amounts = {one.path: one.amount * shares for one in picks}
    changes = {path: torch.zeros(len(shares), len(attributes.names)) for path in amounts}
    for path in sorted({one.path for one in picks if one.amount != 0}):
        many = codes.repeat(len(shares))
        k = torch.full((len(many),), path, device=device)
        start = amounts[path].to(device).repeat(num)
        moved = many.moved(paths.shift(many.latents, k, start, many.given))
        after = measure_in_batches(space, moved, attributes, batch_size)
        found = attributes.change(before.to(after).repeat_interleave(len(shares), 0), after).cpu()
        changes[path] = (found / deviation.clamp_min(1e-6)).unflatten(0, (num, len(shares))).nanmean(0)
    return [
        Curve(
            one,
            deviation[one.column].item(),
            one.column in targets.tolist(),
            amounts[one.path],
            changes[one.path][:, one.column],
        )
        for one in picks
    ]
