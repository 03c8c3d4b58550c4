"""Noise maps as variables: where they are, and what keeps them noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.gans.space import LatentSpace

COARSEST = 8  # side of the map at which the pyramid ends


def noise_regularisation(noise: Tensor) -> Tensor:
    r"""Measure how far noise maps are from white noise, with shape :math:`(N,)`; 0 is white.

    .. math:: \sum_s \left( \overline{n_s \odot \operatorname{roll}_x n_s} \right)^2 + \left( \overline{n_s \odot
        \operatorname{roll}_y n_s} \right)^2

    over the pyramid of the map, each level of which is the mean over 2x2 of the one before times 2, down to 8x8, so
    that white noise keeps its variance (the published code leaves out the factor).

    References:
        | Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020), Appendix D
        | https://arxiv.org/abs/1912.04958

    Arguments:
        noise: Maps :math:`(N, 1, H, W)`.
    """
    total = torch.zeros(len(noise), dtype=noise.dtype, device=noise.device)
    while True:
        for axis in (2, 3):
            total = total + (noise * noise.roll(1, axis)).mean((1, 2, 3)).square()
        if noise.shape[2] <= COARSEST:
            return total
        noise = F.avg_pool2d(noise, 2) * 2


@torch.no_grad()
def normalise(noise: Tensor) -> None:
    """Give each map the mean 0 and the standard deviation 1, in place."""
    noise -= noise.mean((1, 2, 3), keepdim=True)
    noise *= noise.square().mean((1, 2, 3), keepdim=True).rsqrt()


def white_maps(space: LatentSpace, rngs: Sequence[torch.Generator]) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Draw white noise for each map of the generator that has any strength. Return the maps by their names in
    ``given``, and their strengths."""
    scales = {
        f"noise.{i}": (size, scale) for i, (size, scale) in enumerate(space.generator.noise_scales()) if scale > 0
    }
    maps = {
        name: torch.cat([torch.randn(1, 1, size, size, generator=rng) for rng in rngs]).to(space.device)
        for name, (size, _) in scales.items()
    }
    return maps, {name: scale for name, (_, scale) in scales.items()}
