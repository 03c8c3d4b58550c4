"""StyleFusion: one image whose regions come from several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.applications.base import Application, Composition
from latent_lab.inversion.base import Track
from latent_lab.inversion.fusion.hierarchy import Hierarchy, fuse
from latent_lab.inversion.optimisation.masked import BuildingBlocks


class Fusion(Application):
    """Regions of several images in one, put together by the networks of a hierarchy as
    :func:`latent_lab.inversion.fusion.hierarchy.fuse` does. The codes are of s.

    References:
        | StyleFusion: A Generative Model for Disentangling Spatial Segments (Kafri et al., 2021)
        | https://arxiv.org/abs/2107.07437

    Arguments:
        blocks: See :class:`Application`; it finds the codes of files.
        hierarchy: The regions and their networks.
        regions: The region that each image is the source of, in the order of the images; the root's must be there.
    """

    takes_mask = False

    def __init__(self, blocks: BuildingBlocks, hierarchy: Hierarchy, regions: Sequence[str]) -> None:
        super().__init__(blocks)
        unknown = sorted(set(regions) - hierarchy.parts.keys())
        if unknown or hierarchy.root not in regions or len(set(regions)) < len(regions):
            raise ValueError(
                f"regions must hold {hierarchy.root!r} and may hold others of {list(hierarchy.parts)}, each once, "
                f"got {list(regions)}"
            )
        hierarchy.require(regions)
        self.hierarchy, self.regions, self.num_images = hierarchy, list(regions), len(regions)

    @torch.no_grad()
    def make(
        self,
        space: LatentSpace,
        images: Tensor,
        mask: Tensor | None,
        rng: torch.Generator,
        codes: Codes | None,
        track: Track,
    ) -> Composition:
        with torch.enable_grad():
            found = self.embed(space, images, codes, track)
        parts = {region: found.select(slice(i, i + 1)) for i, region in enumerate(self.regions)}
        inputs = {region: images[i : i + 1] for i, region in enumerate(self.regions)}
        shown = space.decode(found).float().clamp(-1, 1)
        if (shown - images).abs().max() > 1 / 255:  # photographs, not samples
            inputs |= {f"{region}, inverted": shown[i : i + 1] for i, region in enumerate(self.regions)}
        return Composition(fuse(self.hierarchy, space, parts), inputs, [], space="s")
