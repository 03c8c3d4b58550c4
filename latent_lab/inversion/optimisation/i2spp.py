"""Image2StyleGAN++: w+ first, then the noise maps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.base import Inverted, Inverter, Track, require_number, untracked
from latent_lab.inversion.optimisation.masked import BuildingBlocks, mean_codes
from latent_lab.ops.psnr import psnr


class Image2StyleGANPlusPlus(Inverter):
    r"""The improved reconstruction: :math:`w \leftarrow W_l(1, 1, 1, w_i, x)`, then :math:`n \leftarrow Mk_n(1, 1, n_i,
    x, \cdot)`.

    Never both at once: what the noise takes over, w loses, and the codes can no longer be edited. A generator without
    noise maps is left at w+.

    References:
        | Image2StyleGAN++: How to Edit the Embedded Images? (Abdal et al., 2020), Algorithm 2
        | https://arxiv.org/abs/1911.11544

    Arguments:
        blocks: The building blocks.
        spread: s of a start from the mean plus :math:`U[-s, s]`; 0 starts from the mean (the paper's: the mean for
            faces, s = 1 from 0 else).
        closeness: Weight of the mean square of the change of w from its start, which keeps codes where edits work
            (ours).
    """

    prefers = ("w+",)

    def __init__(self, blocks: BuildingBlocks, spread: float = 0.0, closeness: float = 0.0) -> None:
        require_number("inverter.spread", spread)
        require_number("inverter.closeness", closeness)
        self.blocks, self.spread, self.closeness = blocks, spread, closeness

    def invert(
        self, space: LatentSpace, images: Tensor, rngs: Sequence[torch.Generator], track: Track = untracked
    ) -> Inverted:
        watch = partial(psnr, images=images)
        codes = mean_codes(space, len(images), self.spread, rngs)
        codes, first = self.blocks.w_plus(
            space, codes, self.blocks.likeness(images), None, self.closeness, track, watch
        )
        stages = [first]
        if space.generator.noise_maps():
            codes, last = self.blocks.noise(space, codes, self.blocks.pixels_of(images), track=track, watch=watch)
            stages.append(last)
        keys = {"loss": "loss", "watched": "psnr"}  # w+, then noise: the loss of the latter is of pixels alone
        curves = {name: torch.cat([stage[key] for stage in stages]).cpu() for key, name in keys.items()}
        return Inverted(codes, curves=curves)
