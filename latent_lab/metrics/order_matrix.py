"""The effect of the order of two edits, for all pairs of paths, in latents alone."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from latent_lab.edits.moves import Moves
from latent_lab.edits.views import Pair, apply_sequence
from latent_lab.metrics.base import RANKING, Matrix, Measurement, Picture, Score, Setting
from latent_lab.metrics.commutativity import relative_distance
from latent_lab.ops.streams import EVALUATION, stream


class OrderMatrix(Measurement):
    """Relative error, in latents, of exchanging two edits of equal length, for all K x K pairs."""

    pictures = {
        "commutativity": Picture(
            "Relative distance of the latents after two edits in both orders, for each pair of paths."
        )
    }

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        return []

    @torch.no_grad()
    def matrices(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Matrix]:
        space, paths, protocol = setting.subject.space, setting.subject.paths, setting.protocol
        device = space.device
        codes = paths.anchor(space, space.sample(protocol.matrix_latents, stream(setting.seed, RANKING, 0, EVALUATION)))
        num, size = len(codes.latents), paths.num_paths
        amounts = setting.plan.amounts.to(device)
        total = torch.zeros(size, size, dtype=torch.float64)
        rows = codes.repeat(size)
        other = torch.arange(size, device=device).repeat(num)
        for k in range(size):
            one = torch.full_like(other, k)
            moves, pair = Moves(rows, one, amounts[one]), Pair(one, other, amounts[one], amounts[other])
            error = relative_distance(
                apply_sequence(paths, moves, pair, "kl"), apply_sequence(paths, moves, pair, "lk"), rows.latents
            )
            total[k] = error.unflatten(0, (num, size)).mean(0).cpu()
        names = [str(k) for k in range(size)]
        matrix = Matrix(total, names, names, "of the edit", "first path", "second path", "commutativity")
        return {"commutativity": matrix}
