"""The change of a face's identity by an edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.metrics.base import Measurement, Picture, Score, Setting
from latent_lab.metrics.views import Views

if TYPE_CHECKING:
    from latent_lab.evaluation.subject import Subject


def identity_error(before: Tensor, after: Tensor) -> Tensor:
    r"""One minus the cosine of two embeddings, over the last axis; exactly 0 for equal ones.

    References:
        | Deep Curvilinear Editing (Aoshima & Matsubara, 2023), Section 4
        | https://arxiv.org/abs/2211.14573
    """
    error = 1 - F.cosine_similarity(before.double(), after.double(), dim=-1)
    return error.where((before != after).any(-1), torch.zeros_like(error)).to(before.dtype)


class IdentityChange(Measurement):
    """:func:`identity_error` where the chosen path of each target has changed it by the same, and its curve for each
    path."""

    needs = ("equal",)
    pictures = {
        "identity": Picture(
            "How much the identity changes when a path's own attribute changes.",
            "identity error over the change of the path's own attribute, mean over paths, band over runs",
            "change of the path's attribute [standard deviations]",
            "1 - cosine",
        )
    }

    def obstacle(self, subject: Subject) -> str:
        return "" if subject.identity is not None else "this data set has no embedding of an identity"

    def observe(self, views: Views) -> dict[str, Tensor]:
        equal = views.equal
        error = equal.spread(identity_error(equal.before.require_identity(), equal.after.require_identity()))
        return {"error": error, "reached": equal.reached, "asked": equal.asked_of_chosen}

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        error, changes = observed["error"], [abs(float(change)) for change in setting.protocol.changes]
        scores = []
        for size in setting.protocol.sizes:
            which = [change == size for change in changes]
            reached, asked = (observed[part][:, :, which].double().sum() for part in ("reached", "asked"))
            if reached:
                found = setting.bootstrap.score(f"identity/{size:g}", error[:, :, which], "1 - cosine", "lower")
                scores.append(found._replace(reached=(reached / asked).item()))
        return scores

    def curves(
        self, observed: Mapping[str, Tensor], setting: Setting
    ) -> dict[str, dict[str, list[tuple[float, float]]]]:
        if not observed["error"].isfinite().any():
            return {"identity": {}}
        changes = [float(change) for change in setting.protocol.changes]
        lines = zip(setting.plan.labels, observed["error"].nanmean(0).tolist())
        return {
            "identity": {
                label: sorted(
                    [(0.0, 0.0), *[(change, error) for change, error in zip(changes, line) if error == error]]
                )
                for label, line in lines
            }
        }

    def left_out(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Tensor]:
        if not observed["error"].isfinite().any():
            return {}
        return {"single edits": observed["reached"] & observed["error"].isnan()}
