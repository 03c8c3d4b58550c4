"""Improved reconstruction: w+ first, then the noise maps."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.applications.base import Application, Composition, Target
from latent_lab.inversion.base import Track
from latent_lab.inversion.optimisation.i2spp import Image2StyleGANPlusPlus


class Reconstruction(Application):
    """The image reconstructed as :class:`latent_lab.inversion.optimisation.i2spp.Image2StyleGANPlusPlus` does it. Codes
    that are known are not used.

    References:
        | Image2StyleGAN++ (Abdal et al., 2020), Algorithm 2: 5000 steps in w+, 3000 of the noise
    """

    num_images, takes_mask = 1, False

    def make(
        self,
        space: LatentSpace,
        images: Tensor,
        mask: Tensor | None,
        rng: torch.Generator,
        codes: Codes | None,
        track: Track,
    ) -> Composition:
        found = Image2StyleGANPlusPlus(self.blocks).invert(space, images, [rng], track)
        with torch.no_grad():
            rows = space.decode(space.codes(found.codes.latents, stored_noise=True))
        return Composition(
            found.codes, {"image": images, "w+ alone": rows}, [Target("image", images, None)], found.curves
        )
