"""The base of all metrics: what one must see, what it keeps of each latent, and the scores that it makes of that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from latent_lab.metrics.bootstrap import Bootstrap as Bootstrap
from latent_lab.metrics.bootstrap import Resamples
from latent_lab.metrics.bootstrap import Score as Score
from latent_lab.metrics.views import Views

if TYPE_CHECKING:
    from latent_lab.evaluation.plan import Plan
    from latent_lab.evaluation.protocol import Protocol
    from latent_lab.evaluation.subject import Subject

NAN = float("nan")
PRIOR, RANKING, SCORING, RESAMPLING = range(4)  # streams of one evaluation; metrics with latents of their own have more


class Matrix(NamedTuple):
    """A named table of numbers.

    Arguments:
        values: The numbers, with shape :math:`(R, C)`.
        rows, columns: Names of both.
        unit: Unit of the numbers.
        row_title, column_title: Titles of the rows and the columns.
        picture: The picture of the metric that shows it; empty for none.
    """

    values: Tensor
    rows: list[str]
    columns: list[str]
    unit: str
    row_title: str
    column_title: str
    picture: str = ""


class Picture(NamedTuple):
    """The texts of a picture of a metric.

    Arguments:
        caption: Below it in a report.
        beside_others: Below it in a comparison; empty where it is not shown there.
        x, y: Titles of the axes, where it shows curves.
    """

    caption: str
    beside_others: str = ""
    x: str = ""
    y: str = ""


@dataclass(frozen=True)
class Setting:
    """The surroundings of a measurement.

    Arguments:
        subject: The paths, and what measures them.
        seed: Seed of all latents that a metric draws itself.
        bootstrap: Makes intervals over the latents that were observed.
        choice: The chosen paths, with their amounts; None in the validation of a training, which chooses none.
        asked: Number of latents and lengths of the evaluation; None in the validation of a training.
        redraws: Redraws of all latents, for metrics that need ``"equal"``; None in the validation of a training, and
            where no attribute is measured.
    """

    subject: Subject
    seed: int
    bootstrap: Bootstrap
    choice: Plan | None = None
    asked: Protocol | None = None
    redraws: Resamples | None = None

    @property
    def plan(self) -> Plan:
        """The chosen paths of an evaluation."""
        if self.choice is None:
            raise ValueError(
                "a training's validation has no plan; only a metric that needs nothing, or 'equal', may ask"
            )
        return self.choice

    @property
    def resamples(self) -> Resamples:
        """The redraws of all latents of an evaluation."""
        if self.redraws is None:
            raise ValueError("there are no redraws of the latents here; only a metric that needs 'equal' may ask")
        return self.redraws

    @property
    def protocol(self) -> Protocol:
        """The protocol of an evaluation."""
        if self.asked is None:
            raise ValueError("a validation has no protocol; only a metric that needs nothing, or 'equal', may ask")
        return self.asked


class Measurement(ABC):
    """A metric of paths, one file and one yaml: the evaluation of runs and the validation of trainings loop over them.

    A subclass sets ``needs``, what it reads of the views of each latent:

    - sequences of edits, such as ``"kl"`` or ``"klKL"`` (``k`` and ``l`` make an edit, ``K`` and ``L`` undo it; the
      empty one is the original): latents, images and all that is measured on them, for pairs of paths;
    - ``"single"``: latents of single edits, no images;
    - ``"equal"``: single edits at each equal change of a target, in evaluations alone.

    The union over all metrics is made once. A metric that needs nothing draws latents of its own in :meth:`scores`.

    ``pictures`` says what its pictures show, by their names.
    """

    needs: Sequence[str] = ()
    pictures: Mapping[str, Picture] = {}

    def obstacle(self, subject: Subject) -> str:
        """Return why this cannot be measured on the subject; empty where it can."""
        return ""

    def observe(self, views: Views) -> dict[str, Tensor]:
        """Return what is kept of each latent, as tensors with a row for each of them, in their order.

        A row depends on its own latent alone, so that an interrupted evaluation continues to the same numbers.
        """
        return {}

    @abstractmethod
    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        """Return the scores from the rows of all latents."""

    def matrices(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Matrix]:
        """Return tables of numbers by their names."""
        return {}

    def curves(
        self, observed: Mapping[str, Tensor], setting: Setting
    ) -> dict[str, dict[str, list[tuple[float, float]]]]:
        """Return curves, each a list of points, by the name of the picture and that of the curve."""
        return {}

    def left_out(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Tensor]:
        """Return which edits could not be measured, as a predictor may find nothing in an image: true where it was so,
        by what they are (``single edits``)."""
        return {}

    def notes(self, observed: Mapping[str, Tensor], setting: Setting) -> list[str]:
        """Return what a reader of the scores must know, a sentence each."""
        return []
