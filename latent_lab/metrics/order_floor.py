"""The difference that rounding alone makes when two edits are exchanged, below which no method can score."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.edits.views import view_in_batches
from latent_lab.metrics.base import NAN, RANKING, Measurement, Score, Setting
from latent_lab.metrics.commutativity import Commutativity, relative_distance
from latent_lab.ops.streams import EVALUATION, stream


class OrderFloor(Measurement):
    """Error of exchanging two straight edits of the compared length."""

    @torch.no_grad()
    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        space, protocol = setting.subject.space, setting.protocol
        rng = stream(setting.seed, RANKING, 3, EVALUATION)
        codes = space.sample(protocol.ranking_latents, rng)
        z = codes.latents
        one, other = (
            protocol.length * F.normalize(torch.randn(z.shape, generator=rng), dim=-1).to(z) for _ in range(2)
        )
        kl, lk = (
            view_in_batches(space, codes.moved(end), None, None, protocol.batch_size)
            for end in (z + one + other, z + other + one)
        )
        images = view_in_batches(space, codes, None, None, protocol.batch_size).images
        errors = {
            "latents": relative_distance(kl.latents, lk.latents, z),
            "images": relative_distance(kl.images, lk.images, images),
        }
        return [
            Score(
                f"floor/commutativity/{level}",
                error.double().nanmedian().item(),
                NAN,
                NAN,
                len(z),
                Commutativity.units[level],
                "",
            )
            for level, error in errors.items()
        ]
