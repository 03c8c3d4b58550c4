"""The change of each attribute by each chosen path along its traversal."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from latent_lab.metrics.base import Matrix, Measurement, Score, Setting


class Ranking(Measurement):
    """The table that paths are chosen by: correlation, steepness and disentanglement of each attribute."""

    def obstacle(self, subject) -> str:
        return "" if subject.attributes is not None else "this data set measures no attributes"

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        return []

    def matrices(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Matrix]:
        plan, names = setting.plan, setting.subject.attributes.names
        values = torch.cat([scores[plan.paths] for scores in plan.ranking.values()], 1)
        columns = [f"{score} {name}" for score in plan.ranking for name in names]
        return {"ranking": Matrix(values, plan.labels, columns, "", "path", "score")}
