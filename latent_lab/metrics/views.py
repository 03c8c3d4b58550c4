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
    """Single edits that change the path's own attribute by the same for all P paths, at T changes.

    Arguments:
        reached: Which edits there are, with shape :math:`(N, P, T)`; the R others reach that change with no amount.
        before, after: The views of these R edits, without images.
        change: Changes of all attributes in standard deviations over the prior, with shape :math:`(N, P, T, A)`; nan
            where the change was not reached or not measured.
    """

    reached: Tensor
    before: View
    after: View
    change: Tensor

    def spread(self, values: Tensor) -> Tensor:
        """Place values :math:`(R, \\dots)` of the edits that there are in a tensor :math:`(N, P, T, \\dots)`, nan
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
        single: Latents of single edits.
        equal: Single edits at equal change.
        deviation: Standard deviations of the attributes over the prior; None where they are not known.
    """

    subject: Subject
    num: int
    sequences: Mapping[str, View] = field(default_factory=dict)
    pair: Pair | None = None
    positions: Tensor | None = None
    single: Single | None = None
    equal: Equal | None = None
    deviation: Tensor | None = None

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

    def by_latent(self, values: Tensor) -> Tensor:
        """Give values :math:`(NM, \\dots)` the shape :math:`(N, M, \\dots)`."""
        return values.unflatten(0, (self.num, -1))
