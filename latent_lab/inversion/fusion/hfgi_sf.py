"""HFGI-SF: the person of a corrected edit before the background of the inversion, so that large edits leave no
ghost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.base import Inverted, Inverter, Track, untracked
from latent_lab.inversion.fusion.hierarchy import Hierarchy, fuse
from latent_lab.inversion.hfgi.hfgi import HFGI


class Fused(NamedTuple):
    """An edit of an image with its details, and the parts that it was made of.

    Arguments:
        codes: Codes of s; one synthesis makes the image from style vectors, conditions and noise.
        corrected: The edited codes corrected by HFGI alone, in the space of the edit, with conditions everywhere.
        person: Mask of the pixels that show the person in the corrected edit, with shape :math:`(N, 1, H, W)` in [0,
            1].
    """

    codes: Codes
    corrected: Codes
    person: Tensor


class HFGISF(Inverter):
    r"""High-fidelity inversion whose edits are fused with StyleFusion.

    An encoder inverts the image to :math:`\hat X_0`; the distortion :math:`x - \hat X_0`, aligned to the edited image
    :math:`\hat X_0^{\text{edit}}` (ADA), becomes the conditions (consultation) of :math:`\hat X^{\text{edit}}`. A
    latent blender takes the background of :math:`\hat X_0` and the person of :math:`\hat X^{\text{edit}}`. The paper
    does not say which conditions the fused synthesis has: here those of the edit where its person is, and none
    elsewhere, for what was lost of the original's person must not come back beside the edited one. ``masked=False`` is
    the other reading. What is not edited is inverted as by HFGI.

    References:
        | StyleFusion-based High-Fidelity GAN Inversion for Natural Image Attribute Editing by Removing Image Ripples,
          Section 3
          and Figure 2

    Arguments:
        hfgi: The inverter, which also corrects the edit.
        hierarchy: Regions whose root is the person and its background, or that has the background as a part of a part.
        person: Finds the pixels that show the person: images :math:`(N, C, H, W)` to masks :math:`(N, 1, H, W)` in [0,
            1].
        background: The region of the hierarchy that stays the inversion's.
        masked: Whether conditions are limited to the edited person.
    """

    prefers = ("w+",)

    def __init__(
        self, hfgi: HFGI, hierarchy: Hierarchy, person: nn.Module, background: str = "background", masked: bool = True
    ) -> None:
        if background not in hierarchy.parts or background == hierarchy.root:
            parts = [name for name in hierarchy.parts if name != hierarchy.root]
            raise ValueError(f"background must be a part of the hierarchy, one of {parts}, got {background!r}")
        hierarchy.require([hierarchy.root, background])
        self.hfgi, self.hierarchy, self.person = hfgi, hierarchy, person
        self.background, self.masked = background, masked

    @torch.no_grad()
    def fuse(self, space: LatentSpace, codes: Codes, target: Tensor, edited: Codes) -> Fused:
        """Fuse edited images with their inversions, and return the codes of s.

        Arguments:
            space: Space of the codes: w, w+ or s.
            codes: Codes of the inversion.
            target: The images that were inverted, with shape :math:`(N, C, H, W)` in [-1, 1].
            edited: The edited codes.
        """
        conditions = self.hfgi.conditions(space, codes, target, edited)
        plain = edited.without(*conditions)
        corrected = plain.with_given(conditions)
        person = self.person(space.decode(corrected).float().clamp(-1, 1))
        if self.masked:
            conditions = {
                name: value * F.interpolate(person, value.shape[2:], mode="area") for name, value in conditions.items()
            }
        sources = {self.hierarchy.root: plain, self.background: codes}
        fused = fuse(self.hierarchy, space, sources)
        return Fused(fused.with_given(conditions), corrected, person)

    def correct(self, space: LatentSpace, codes: Codes, target: Tensor, edited: Codes) -> tuple[str, Codes]:
        """Return the fused codes, and first the name of their space, s. Arguments are those of :meth:`fuse`."""
        return "s", self.fuse(space, codes, target, edited).codes

    def invert(
        self, space: LatentSpace, images: Tensor, rngs: Sequence[torch.Generator], track: Track = untracked
    ) -> Inverted:
        return self.hfgi.invert(space, images, rngs, track)
