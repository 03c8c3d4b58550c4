"""The length that edits really have: volume preservation does not bound it, so it is always measured."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from latent_lab.gans.space import LatentSpace
from latent_lab.metrics.base import PRIOR, Measurement, Score, Setting
from latent_lab.metrics.views import Views
from latent_lab.ops.streams import EVALUATION, stream

RADII = 16384  # latents that say where the prior's shell lies


@torch.no_grad()
def find_shell(space: LatentSpace, seed: int) -> tuple[float, float]:
    """Return the smallest and the largest radius of the shell that holds 99.9 % of the prior.

    Example:
        >>> from latent_lab.gans.shapes import Shapes
        >>> inner, outer = find_shell(Shapes().space(), 0)  # 7 Gaussian coordinates
        >>> 0.2 < inner < 0.8 and 4.7 < outer < 5.6
        True
    """
    radii = space.radius(space.sample(RADII, stream(seed, PRIOR, 4, EVALUATION)).latents).double()
    return radii.quantile(0.0005).item(), radii.quantile(0.9995).item()


class EditLengths(Measurement):
    r"""Realised length of single edits at the compared length, per unit of their amount :math:`\|z' - z\| /
    |\varepsilon|`, radius of edited latents over that before, and the share outside the prior's 99.9 % shell.

    On a spherical space lengths are measured after normalisation, as the generator sees them.
    """

    needs = ("single",)

    def observe(self, views: Views) -> dict[str, Tensor]:
        single, space = views.single, views.subject.space
        length = torch.linalg.vector_norm(
            (space.visible(single.after) - space.visible(single.before)).flatten(1), dim=1
        )
        radius = space.radius(single.after)
        found = {
            "realised": length,
            "per_amount": length / single.eps.abs(),
            "radius": radius,
            "radius_ratio": radius / space.radius(single.before),
        }
        return {name: views.by_latent(values) for name, values in found.items()}

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        if setting.choice is None:
            inner, outer = find_shell(setting.subject.space, setting.seed)
        else:
            inner, outer = setting.choice.originals.shell
        outside = ((observed["radius"] < inner) | (observed["radius"] > outer)).double()
        score = setting.bootstrap.score
        return [
            score("length/realised", observed["realised"], "latent units", ""),
            score("length/per_amount", observed["per_amount"], "latent units", ""),
            score("prior/radius_ratio", observed["radius_ratio"], "", ""),
            score("prior/outside_99.9_shell", outside, "share", "lower"),
        ]
