"""HFGI: the details that an encoder's inversion has lost, read from the image, aligned to any edit of it, and given
back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.gans.styled import StyleGenerator
from latent_lab.inversion.base import Inverted, Inverter, Track, untracked
from latent_lab.inversion.encoders.encoder import EncoderInverter
from latent_lab.inversion.encoders.files import read_encoder
from latent_lab.inversion.encoders.style_encoder import resize
from latent_lab.inversion.hfgi.distortion import ConsultationEncoder, DistortionAlignment


def consulted_row(space: LatentSpace, pixels: int) -> int:
    """Return the row of w+ that feeds the first convolution at ``pixels`` a side.

    Raises:
        ValueError: The generator has no such convolution.
    """
    maps = space.generator.feature_maps() if isinstance(space.generator, StyleGenerator) else {}
    for row, (_, height, _) in maps.items():
        if height == pixels:
            return row
    sides = list(dict.fromkeys(height for _, height, _ in maps.values()))
    raise ValueError(
        f"hfgi needs a generator with a convolution at {pixels} pixels a side, "
        f"got {sides or type(space.generator).__name__}"
    )


def without_conditions(codes: Codes, row: int) -> Codes:
    """Return codes without the scale and shift of the convolution of a row."""
    return codes.without(f"scale.{row}", f"shift.{row}")


class HFGI(Inverter):
    r"""Codes of w+ found by an encoder, with conditions of one convolution that bring back the details.

    The distortion of an inversion is :math:`D = x - G(w)`. Aligned to what the codes decode to, edited or not, it
    becomes a scale and a shift of the first convolution at a quarter of the networks' resolution (64 pixels as
    published): :math:`F \leftarrow F \cdot (1 + \text{scale}) + \text{shift}`.

    References:
        | High-Fidelity GAN Inversion for Image Attribute Editing (Wang et al., 2022), Eq. 2-6
        | https://arxiv.org/abs/2109.06590

    Arguments:
        weights: A file that ``latent_lab.train_encoder encoder=hfgi`` wrote, or the published one.
        encoder: A file with the encoder of the inversion (e4e), where ``weights`` holds none or another is wanted.
    """

    prefers = ("w+",)

    def __init__(self, weights: str | None, encoder: str | None = None) -> None:
        file = read_encoder(weights, "hfgi", otherwise=True)  # published on e4e alone
        missing = sorted({"grid_align", "residue"} - file.networks.keys())
        if missing:
            raise ValueError(f"weights must hold the networks of HFGI, got only {sorted(file.networks)} in {weights}")
        self.alignment: DistortionAlignment = file.networks["grid_align"]
        self.consultation: ConsultationEncoder = file.networks["residue"]
        self.base = (
            EncoderInverter(encoder) if encoder else EncoderInverter(file) if "encoder" in file.networks else None
        )
        self.resolution = self.consultation.resolution

    def conditions(
        self, space: LatentSpace, codes: Codes, target: Tensor, edited: Codes | None = None
    ) -> dict[str, Tensor]:
        """Return ``scale.<row>`` and ``shift.<row>``, both :math:`(N, F, h, w)`, for the ``given`` of the edited codes.

        Conditions that codes already have are ignored: an edit of an edit begins at the same inversion.

        Arguments:
            space: Space of the codes, any of the generator's.
            codes: Codes of the inversion.
            target: The images that were inverted, with shape :math:`(N, C, H, W)` in [-1, 1].
            edited: Codes of the images to align to; None for the inversion itself.
        """
        row = consulted_row(space, self.resolution // 4)

        def seen(codes: Codes) -> Tensor:
            return resize(space.decode(without_conditions(codes, row)).clamp(-1, 1), self.resolution)

        with torch.no_grad():
            inverted = seen(codes)
            distortion = resize(target, self.resolution) - inverted
            scale, shift = self.consultation(self.alignment(distortion, inverted if edited is None else seen(edited)))
        return {f"scale.{row}": scale, f"shift.{row}": shift}

    def correct(self, space: LatentSpace, codes: Codes, target: Tensor, edited: Codes) -> tuple[str, Codes]:
        """Return the edited codes with the details of the image, and first the name of their space. Arguments are those
        of :meth:`conditions`."""
        return space.name, edited.with_given(self.conditions(space, codes, target, edited))

    def invert(
        self,
        space: LatentSpace,
        images: Tensor,
        rngs: Sequence[torch.Generator],
        track: Track = untracked,
    ) -> Inverted:
        if self.base is None:
            raise ValueError("inverter.encoder must be a file with an e4e encoder: inverter.weights holds none")
        found = self.base.invert(space, images, rngs, track).codes
        return Inverted(found.with_given(self.conditions(space, found, images)))
