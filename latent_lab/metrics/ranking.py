"""The selectivity of short edits along each path, for each attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from latent_lab.metrics.base import Matrix, Measurement, Score, Setting

if TYPE_CHECKING:
    from latent_lab.evaluation.subject import Subject


class Ranking(Measurement):
    """The table that candidates are chosen by: selectivity of every path for every attribute, by short edits."""

    def obstacle(self, subject: Subject) -> str:
        return "" if subject.attributes is not None else "this data set measures no attributes"

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        return []

    def matrices(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Matrix]:
        values, attributes = setting.plan.measured.first.selectivity, setting.plan.measured.attributes
        paths, names = [str(k) for k in range(len(values))], list(attributes.names)
        return {"ranking": Matrix(values, paths, names, "share", "path", "attribute")}
