"""Views of latents, from which measurements are made: every edit and every image is made once, for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from latent_lab.edits.views import Pair, View

if TYPE_CHECKING:
    from latent_lab.evaluation.subject import Subject


@dataclass(frozen=True)
class Single:
    """Latents of single edits, M for each of N latents: in an evaluation by each chosen path, at the compared length.

    Arguments:
        before, after, returned: Latents before and after the edit, and after it was undone, with shape
            :math:`(NM, D)`.
        eps: Amount of each edit, with shape :math:`(NM,)`.
    """

    before: Tensor
    after: Tensor
    returned: Tensor
    eps: Tensor


@dataclass(frozen=True)
class Equal:
    """Single edits that change a target by the same, of Q candidate paths at C changes.

    Of each target the E best paths are candidates, so that a resample of the ranking latents can choose another one of
    them; the images of the T chosen ones alone are looked at again.

    Arguments:
        asked: Which edits were asked, with shape :math:`(N, Q, C)`.
        outcome: 0 where the change was reached, else why not, see :mod:`latent_lab.edits.equal_change`; with the same
            shape.
        change: Changes of all attributes in their units, with shape :math:`(N, Q, C, A)`; nan where the change was not
            reached.
        reached: Which edits of the chosen paths there are, R of them, with shape :math:`(N, T, C)`.
        before, after: The views of these R edits, without images.
        judged: Changes by the judges' measurements, with shape :math:`(N, T, C, J)`; nan where the change was not
            reached.
        asked_of_chosen: Which edits of the chosen paths were asked, with shape :math:`(N, T, C)`.
    """

    asked: Tensor
    outcome: Tensor
    change: Tensor
    reached: Tensor
    before: View
    after: View
    judged: Tensor
    asked_of_chosen: Tensor

    def spread(self, values: Tensor) -> Tensor:
        """Place values :math:`(R, \\dots)` of the edits that there are in a tensor :math:`(N, T, C, \\dots)`, nan
        elsewhere."""
        return spread(values, self.reached)


def spread(values: Tensor, reached: Tensor) -> Tensor:
    """Place values :math:`(R, \\dots)` where ``reached`` is true, and nan elsewhere."""
    placed = values.new_full((*reached.shape, *values.shape[1:]), float("nan"))
    placed[reached] = values
    return placed


@dataclass(frozen=True)
class Views:
    r"""Images and latents after the edits that the measurements need; what none of them needs is not there.

    ``views["kl"]`` is the view after the sequence of edits ``kl``, M rows for each latent, all rows of one latent
    together; :meth:`by_latent` gives such rows the shape :math:`(N, M, \dots)`.

    Arguments:
        subject: The paths, and what measures them.
        num: Number N of latents.
        sequences: Views by the sequence of edits that led to them; the empty one is the original.
        pair: The two edits that the sequences are made of.
        positions: Positions of the two edits among the chosen paths, with shape :math:`(N, M, 2)`; None where none were
            chosen.
        single_edits: Latents of single edits; None where no metric needs them.
        equal_edits: Single edits at equal change; None where no metric needs them.
        deviation: Standard deviations of the attributes over the prior; None where they are not known.
        columns: Columns of the targets among the attributes; None where they are not known.
    """

    subject: Subject
    num: int
    sequences: Mapping[str, View] = field(default_factory=dict)
    pair: Pair | None = None
    positions: Tensor | None = None
    single_edits: Single | None = None
    equal_edits: Equal | None = None
    deviation: Tensor | None = None
    columns: Tensor | None = None

    def __getitem__(self, sequence: str) -> View:
        """Return what a sequence of edits led to.

        Raises:
            ValueError: No metric needs this sequence, so that it was not made.
        """
        if sequence not in self.sequences:
            raise ValueError(
                f"needs of a metric must name the sequence {sequence!r} to read it, got {[*self.sequences]}"
            )
        return self.sequences[sequence]

    @property
    def single(self) -> Single:
        """Latents of single edits.

        Raises:
            ValueError: No metric needs them, so that they were not made.
        """
        if self.single_edits is None:
            raise ValueError("needs of a metric must name 'single' to read single edits")
        return self.single_edits

    @property
    def equal(self) -> Equal:
        """Single edits at equal change.

        Raises:
            ValueError: No metric needs them, so that they were not made.
        """
        if self.equal_edits is None:
            raise ValueError("needs of a metric must name 'equal' to read edits at equal change")
        return self.equal_edits

    def by_latent(self, values: Tensor) -> Tensor:
        """Give values :math:`(NM, \\dots)` the shape :math:`(N, M, \\dots)`."""
        return values.unflatten(0, (self.num, -1))
