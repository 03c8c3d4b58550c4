"""Image crossover: a part of one image in another, with a seam that the generator closes."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.applications.base import Application, Composition, Target
from latent_lab.inversion.base import Track
from latent_lab.inversion.optimisation.masked import mean_codes
from latent_lab.ops.blur import gaussian_blur


class Crossover(Application):
    r"""The first image within the mask, the second outside.

    .. math:: w \leftarrow W_l(M_b, M_b, 1, w_i, x) + W_l(1 - M_b, 1 - M_b, 1, w_i, y), \qquad n \leftarrow Mk_n(M_b, 1,
        n_i, x, y)

    with the blurred mask :math:`M_b` and one descent of both losses.

    References:
        | Image2StyleGAN++ (Abdal et al., 2020), Algorithm 3: 1000 steps each
    """

    num_images = 2

    def make(
        self,
        space: LatentSpace,
        images: Tensor,
        mask: Tensor | None,
        rng: torch.Generator,
        codes: Codes | None,
        track: Track,
    ) -> Composition:
        x, y = images[:1], images[1:]
        soft = gaussian_blur(mask, self.seam)
        terms = self.blocks.likeness(x, soft) + self.blocks.likeness(y, 1 - soft)
        found, curve = self.blocks.w_plus(space, mean_codes(space, 1), terms, track=track)
        found, curves = self.finish(space, found, curve, self.blocks.pixels_of(x, y, soft), track)
        targets = [Target("first, inside", x, mask), Target("second, outside", y, 1 - mask)]
        return Composition(found, {"first": x, "second": y}, targets, curves)
