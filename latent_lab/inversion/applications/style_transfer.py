"""Local style transfer: a part of an image in the style of another."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.applications.base import Application, Composition, Target
from latent_lab.inversion.base import Track
from latent_lab.ops.blur import gaussian_blur


class StyleTransfer(Application):
    r"""The first image within the mask; outside it the style of the second.

    .. math:: w^* \leftarrow W_l(1, 1, 1, w_i, x), \qquad w \leftarrow W_l(M_b, M_b, 1, w^*, x) + M_{st}(1 - M_b, 1,
        w^*, y), \qquad n \leftarrow Mk_n(M_b, 1, n_i, x, G(w))

    References:
        | Image2StyleGAN++ (Abdal et al., 2020), Algorithm 6: 1000 steps each
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
        terms = self.blocks.likeness(x, soft) + self.blocks.style_of(y, 1 - soft)
        start = self.embed(space, x, None if codes is None else codes.select(slice(0, 1)), track)
        found, curve = self.blocks.w_plus(space, start, terms, track=track)
        with torch.no_grad():
            styled = space.decode(found)
        found, curves = self.finish(space, found, curve, self.blocks.pixels_of(x, styled, soft), track)
        return Composition(found, {"image": x, "style": y}, [Target("image, inside", x, mask)], curves)
