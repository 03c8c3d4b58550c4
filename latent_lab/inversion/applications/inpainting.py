"""Inpainting: several completions of an image with a missing part."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.applications.base import Application, Composition, Target, rows_at
from latent_lab.inversion.base import Track, require_number
from latent_lab.inversion.optimisation.masked import BuildingBlocks, mean_codes
from latent_lab.inversion.optimisation.masks import widen
from latent_lab.ops.blur import gaussian_blur
from latent_lab.paths.layerwise import layer_rows


class Inpainting(Application):
    r"""The image outside the mask, with completions from several starts within it.

    .. math:: w \leftarrow W_l(1 - M, 1 - M, w_m, w_i, x), \qquad n \leftarrow Mk_n(1 - M_b, 1, n_i, x, G(w))

    with :math:`M_b` the mask grown by the seam and blurred. The first start is the mean of w; the others are the mean
    plus :math:`U[-s, s]` (the paper's are :math:`U[-0.4, 0.4]` alone). What the mask hides is never read.

    References:
        | Image2StyleGAN++ (Abdal et al., 2020), Algorithm 4: 200 steps in w+ of the rows 1-9, 17 and 18 of 18, 1000 of
          the noise

    Arguments:
        blocks, seam: See :class:`Application`; the paper's weight of what lies outside (``outside``) is 10.
        completions: Number of completions.
        spread: Range s of the starts after the first.
        layers: Rows that change, as ``0-8,16-17``; None for the paper's, at the same depth of this generator.
    """

    num_images = 1

    def __init__(
        self,
        blocks: BuildingBlocks,
        seam: float = 0.0,
        completions: int = 3,
        spread: float = 0.4,
        layers: int | str | Sequence[int | str] | None = None,
    ) -> None:
        super().__init__(blocks, seam)
        require_number("completions", completions, 1, whole=True)
        require_number("spread", spread)
        self.completions, self.spread, self.layers = completions, spread, layers

    def make(
        self,
        space: LatentSpace,
        images: Tensor,
        mask: Tensor | None,
        rng: torch.Generator,
        codes: Codes | None,
        track: Track,
    ) -> Composition:
        num = self.completions
        rngs = [torch.Generator().manual_seed(int(seed)) for seed in torch.randint(2**62, (num,), generator=rng)]
        start = mean_codes(space, num, self.spread, rngs)
        start.latents[0] = mean_codes(space, 1).latents[0]
        rows = (
            rows_at(space.shape[0], [(0, 9 / 18), (16 / 18, 1)])
            if self.layers is None
            else layer_rows(space, self.layers)
        )
        hole = (mask > 0).to(mask)
        # features near the hole see into it: they would pull what is put there towards what hides it
        near = widen(hole, images.shape[-1] / 32)
        terms = self.blocks.likeness(images * (1 - hole), 1 - hole, 1 - near)
        found, curve = self.blocks.w_plus(space, start, terms, rows, track=track)
        with torch.no_grad():
            filled = space.decode(found)
        soft = gaussian_blur(widen(mask, 2 * self.seam), self.seam)
        found, curves = self.finish(space, found, curve, self.blocks.pixels_of(images, filled, 1 - soft), track)
        inputs = {"image": images, "what is seen": torch.where(mask > 0, 1.0, images)}
        return Composition(found, inputs, [Target("image, outside", images, 1 - mask)], curves)
