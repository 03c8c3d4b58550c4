"""Edits that change an attribute by the same, latent by latent, whatever the scale of a path's amounts."""

from __future__ import annotations

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

GRID = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)  # of the compared length
REACHED, NOT_FOUND, NOT_MEASURED, OUTSIDE = range(4)
OPEN, BRACKETED = 4, 5  # while the search runs


class Wanted(NamedTuple):
    """Q paths with the attribute that each shall change.

    Arguments:
        paths: Numbers of the paths, with shape :math:`(Q,)`.
        attributes: Columns of the attributes, with shape :math:`(Q,)`.
        signs: 1 where the attribute grows with the path's amount, else -1, with shape :math:`(Q,)`.
    """

    paths: Tensor
    attributes: Tensor
    signs: Tensor

    def to(self, device: torch.device) -> Wanted:
        """Return the same on a device."""
        return Wanted(*[values.to(device) for values in self])


class Found(NamedTuple):
    """The results of a search for N latents, Q paths and C changes.

    Arguments:
        amounts: Amounts of the paths, with shape :math:`(N, Q, C)`; nan where nothing was found.
        attributes: All attributes of the edited images, with shape :math:`(N, Q, C, A)`; nan where nothing was found.
        outcome: ``REACHED``, or why it was not: ``NOT_FOUND`` within the length, a target ``NOT_MEASURED`` there,
            ``OUTSIDE`` the prior's shell; with shape :math:`(N, Q, C)`.
    """

    amounts: Tensor
    attributes: Tensor
    outcome: Tensor


class EqualChange(NamedTuple):
    """The rules of a search for the amounts at which attributes have changed by the same.

    Of a path and a wanted change c only the amounts are tried whose sign is that of c times the path's own. They make
    edits of 1/8, 1/4, 1/2, 1 and 2 times the compared length, until one changes the attribute by at least c; between it
    and the one before the false position method (Illinois) finds c. Lengths bound the search, so that rescaled amounts
    change nothing.

    Arguments:
        changes: Wanted changes c in deviations, with shape :math:`(C,)`; none is 0.
        deviation: Deviation of each attribute over the prior, with shape :math:`(A,)`.
        targets: Columns of the attributes that must be measured at the edited image.
        length: The compared length, in units of the latent.
        scales: An amount of each path that is about as long, with shape :math:`(K,)`; nan: the path moves nothing.
        shell: Smallest and largest radius of the prior's 99.9 % shell.
        tolerance: Largest difference from the wanted change, in deviations.
        decodes: Images of a latent, a path and a change at most.
        batch_size: Images decoded at once.
    """

    changes: Tensor
    deviation: Tensor
    targets: Tensor
    length: float
    scales: Tensor
    shell: tuple[float, float]
    tolerance: float = 0.02
    decodes: int = 12
    batch_size: int = 64

    @torch.no_grad()
    def search(
        self,
        space: LatentSpace,
        paths: Paths,
        attributes: Attributes,
        codes: Codes,
        before: Tensor,
        wanted: Wanted,
        asked: Tensor,
    ) -> Found:
        """Return the amounts at which each path has changed its attribute as wanted.

        Arguments:
            space, paths, attributes: The space, its paths, and what measures the images.
            codes: N anchored codes at which the edits start.
            before: All attributes of their images, with shape :math:`(N, A)`.
            wanted: The Q paths with their attributes.
            asked: Which latents, paths and changes are searched at all, with shape :math:`(N, Q, C)`.
        """
        search = Search(self, space, paths, attributes, codes, before, wanted.to(before.device), asked)
        search.walk_grid()
        search.refine()
        return search.found()


class Search:
    """The state of one search: of each (latent, path, change) the end of the bracket below the wanted change."""

    def __init__(
        self,
        rules: EqualChange,
        space: LatentSpace,
        paths: Paths,
        attributes: Attributes,
        codes: Codes,
        before: Tensor,
        wanted: Wanted,
        asked: Tensor,
    ) -> None:
        self.rules, self.space, self.paths, self.attributes, self.codes = rules, space, paths, attributes, codes
        device, shape = before.device, asked.shape
        changes, deviation = rules.changes.to(before), rules.deviation.to(before)
        self.targets, self.scales = rules.targets.to(device), rules.scales.to(before)
        self.column = wanted.attributes[None, :, None].expand(shape)
        self.sign = changes.sign()[None, None].expand(shape)  # of the attribute's change
        self.goal = changes.abs()[None, None].expand(shape)
        self.unit = deviation[self.column]
        self.path = wanted.paths[None, :, None].expand(shape)
        self.direction = wanted.signs.to(before)[None, :, None] * self.sign  # of the path's amount
        movable = self.scales[self.path].isfinite() & (self.unit > 0)
        nothing = torch.full(shape, NOT_FOUND, device=device)
        self.state = torch.where(asked.to(device) & movable, torch.full_like(nothing, OPEN), nothing)
        self.low_eps, self.low_value = torch.zeros(shape).to(before), torch.zeros(shape).to(before)
        self.low = before[:, None, None].expand(*shape, -1).clone()
        self.high_eps, self.high_value = torch.zeros_like(self.low_eps), torch.zeros_like(self.low_eps)
        self.amounts = torch.full_like(self.low_eps, float("nan"))
        self.ends = torch.full_like(self.low, float("nan"))

    def decode(self, rows: Tensor, path: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Return all attributes :math:`(M, A)` and the radius :math:`(M,)` after edits of the latents ``rows``."""
        start = self.codes.select(rows)
        moved = start.moved(self.paths.shift(start.latents, path, eps, start.given))
        after = measure_in_batches(self.space, moved, self.attributes, self.rules.batch_size)
        return after, self.space.radius(moved.latents)

    def take(self, where: tuple[Tensor, ...], eps: Tensor, after: Tensor, radius: Tensor) -> Tensor:
        """Take what was measured at the places ``where``, settle those that are done, and return the change from the
        original in the wanted direction, in deviations."""
        column = self.column[where][:, None]
        step = self.attributes.change(self.low[where], after).gather(1, column)[:, 0]  # the short way, from below
        value = self.low_value[where] + self.sign[where] * step / self.unit[where]
        measured = after[:, self.targets].isfinite().all(1) & value.isfinite()
        hit = measured & ((value - self.goal[where]).abs() <= self.rules.tolerance)
        inner, outer = self.rules.shell
        outside = (radius < inner) | (radius > outer)
        state = self.state[where]
        state = torch.where(measured, state, torch.full_like(state, NOT_MEASURED))
        state = torch.where(hit, torch.where(outside, OUTSIDE, REACHED), state)
        self.state[where] = state
        self.amounts[where] = torch.where(hit, eps, self.amounts[where])
        self.ends[where] = torch.where(hit[:, None], after, self.ends[where])
        return value

    def walk_grid(self) -> None:
        """Find for each place the first step of the grid that changes the attribute by at least the wanted change.

        Places that share a path and a direction share the images.
        """
        key = 2 * self.path + (self.direction > 0)
        keys, column = key.unique(return_inverse=True)
        path, direction = keys // 2, (2 * (keys % 2) - 1).to(self.low_eps)
        amounts = (self.scales[path].nan_to_num(1.0) * direction)[None].repeat(len(self.codes), 1) * GRID[0] / 2
        latent = torch.arange(len(self.codes), device=key.device)[:, None, None].expand(key.shape)
        for share in GRID:
            amounts = 2 * amounts
            where = (self.state == OPEN).nonzero(as_tuple=True)
            if not len(where[0]):
                return
            needed = torch.zeros(amounts.shape, dtype=torch.bool, device=key.device)
            needed[latent[where], column[where]] = True
            rows, columns = needed.nonzero(as_tuple=True)
            moves = Moves(self.codes.select(rows), path[columns], amounts[rows, columns])
            length = torch.full_like(moves.eps, share * self.rules.length)
            amounts[rows, columns] = find_amounts(self.space, self.paths, moves, length)
            place = torch.zeros(amounts.shape, dtype=torch.long, device=key.device)
            place[rows, columns] = torch.arange(len(rows), device=key.device)
            after, radius = self.decode(rows, moves.k, amounts[rows, columns])
            taken = place[latent[where], column[where]]
            eps = amounts[latent[where], column[where]]
            value = self.take(where, eps, after[taken], radius[taken])
            still = self.state[where] == OPEN
            beyond = still & (value > self.goal[where])
            self._keep(where, beyond, self.high_eps, eps)
            self._keep(where, beyond, self.high_value, value)
            self._keep(where, beyond, self.state, torch.full_like(self.state[where], BRACKETED))
            self._raise_low(where, still & ~beyond, eps, value, after[taken])

    def refine(self) -> None:
        """Close the brackets by the Illinois method: false position, where the end that stays twice counts half."""
        low_error, high_error = self.low_value - self.goal, self.high_value - self.goal
        side = torch.zeros_like(self.state)
        for _ in range(self.rules.decodes - len(GRID)):
            where = (self.state == BRACKETED).nonzero(as_tuple=True)
            if not len(where[0]):
                break
            share = low_error[where] / (low_error[where] - high_error[where])
            share = share.clamp(0.05, 0.95)
            eps = self.low_eps[where] + share * (self.high_eps[where] - self.low_eps[where])
            after, radius = self.decode(where[0], self.path[where], eps)
            value = self.take(where, eps, after, radius)
            error = value - self.goal[where]
            still = self.state[where] == BRACKETED
            above, below = still & (error > 0), still & (error <= 0)
            last = side[where]
            low_error[where] = torch.where(above & (last > 0), low_error[where] / 2, low_error[where])
            high_error[where] = torch.where(below & (last < 0), high_error[where] / 2, high_error[where])
            self._keep(where, above, high_error, error)
            self._keep(where, above, self.high_eps, eps)
            self._keep(where, below, low_error, error)
            self._raise_low(where, below, eps, value, after)
            side[where] = torch.where(above, 1, -1)

    def found(self) -> Found:
        """Return what was found; what is still open was not."""
        outcome = self.state.clone()
        outcome[(outcome == OPEN) | (outcome == BRACKETED)] = NOT_FOUND
        return Found(self.amounts, self.ends, outcome)

    def _raise_low(self, where: tuple[Tensor, ...], which: Tensor, eps: Tensor, value: Tensor, after: Tensor) -> None:
        """Move the lower end of some brackets."""
        self._keep(where, which, self.low_eps, eps)
        self._keep(where, which, self.low_value, value)
        self.low[where] = torch.where(which[:, None], after, self.low[where])

    @staticmethod
    def _keep(where: tuple[Tensor, ...], which: Tensor, values: Tensor, new: Tensor) -> None:
        """Replace some values at the places ``where``."""
        values[where] = torch.where(which, new.to(values.dtype), values[where])
