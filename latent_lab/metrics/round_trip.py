"""The distance that is left when an edit is undone."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from latent_lab.metrics.base import Measurement, Score, Setting
from latent_lab.metrics.commutativity import relative_distance
from latent_lab.metrics.views import Views


class RoundTrip(Measurement):
    """Distance between a latent and itself after an edit and its undoing, relative to the edit's length; the median."""

    needs = ("single",)

    def observe(self, views: Views) -> dict[str, Tensor]:
        single = views.single
        return {"latents": views.by_latent(relative_distance(single.before, single.returned, single.after))}

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        return [setting.bootstrap.median("round_trip/latents", observed["latents"], "of the edit", "lower")]
