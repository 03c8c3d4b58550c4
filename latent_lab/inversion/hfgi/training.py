"""The training of HFGI's two networks, on a generator and an encoder that stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.transforms.functional import perspective

from latent_lab.inversion.encoders.encoder import EncoderInverter, require_space
from latent_lab.inversion.encoders.style_encoder import resize
from latent_lab.inversion.encoders.training import EncoderTraining
from latent_lab.inversion.hfgi.distortion import ConsultationEncoder, DistortionAlignment
from latent_lab.inversion.hfgi.hfgi import HFGI, consulted_row


def misalign(images: Tensor, scale: float, chance: float, rng: torch.Generator) -> Tensor:
    """Return images :math:`(N, C, H, W)`, each seen from another place with a chance: its corners move inwards by up to
    ``scale / 2`` of the side."""
    (height, width), found = images.shape[2:], []
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    for image in images:
        moved, draws = torch.rand((), generator=rng) < chance, torch.rand(4, 2, generator=rng) * scale / 2
        start = [[x * (width - 1), y * (height - 1)] for x, y in corners]
        end = [
            [round(abs(x - draw[0].item()) * (width - 1)), round(abs(y - draw[1].item()) * (height - 1))]
            for (x, y), draw in zip(corners, draws)
        ]
        found.append(perspective(image, start, end, fill=0.0) if moved else image)
    return torch.stack(found)


class HFGITraining(EncoderTraining):
    r"""Trains alignment and consultation together, without any edit: the distortion is misaligned by a random
    perspective instead.

    .. math:: L = L_{\text{image}}(x, G(w, \text{conditions})) + \lambda \mathbb{E} |\mathrm{ADA}(\tilde D, G(w)) - D|

    References:
        | High-Fidelity GAN Inversion for Image Attribute Editing (Wang et al., 2022), Eq. 4-8
        | https://arxiv.org/abs/2109.06590

    Arguments:
        weights: A file with the encoder (e4e), which is not trained.
        alignment: Makes the alignment for ``image_channels``.
        consultation: Makes the consultation for ``features``, ``resolution`` and ``image_channels``.
        resolution: Pixels a side at which the distortion is seen; the convolution at a quarter of it takes the
            conditions.
        scale, chance: Largest move of a corner as a share of half a side, and the chance of a move.
        options: Options of :class:`EncoderTraining`.
    """

    kept = ("align.", "consult.")

    def __init__(
        self,
        weights: str | None,
        alignment: Callable[..., DistortionAlignment],
        consultation: Callable[..., ConsultationEncoder],
        resolution: int = 256,
        scale: float = 0.15,
        chance: float = 0.9,
        **options,
    ) -> None:
        super().__init__(**options)
        base = EncoderInverter(weights)
        require_space(self.space, base.file, base.encoder)
        generator, self.row = self.space.generator, consulted_row(self.space, resolution // 4)
        self.encoder, self.passes = base.encoder.requires_grad_(False), base.passes(generator.channels)
        self.scale, self.chance, self.resolution = scale, chance, resolution
        features = generator.feature_maps()[self.row][0]
        self.align = alignment(image_channels=generator.channels)
        self.consult = consultation(features=features, resolution=resolution, image_channels=generator.channels)

    def train(self, mode: bool = True) -> HFGITraining:
        """Set the training mode. The encoder stays in eval mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def optimisers_of_run(self) -> list[torch.optim.Optimizer]:
        return [self.optimiser([*self.align.parameters(), *self.consult.parameters()])]

    def training_step(self, batch, batch_idx: int) -> None:
        examples, optimiser = self.examples(batch), self.stepped_optimisers()[0]
        seen = resize(examples.images, self.resolution)
        with torch.no_grad():
            latents = self.encoder.encode(self.space, examples.images, self.passes)
            codes = self.space.codes(latents, stored_noise=True)
            inverted = resize(self.space.decode(codes).clamp(-1, 1), self.resolution)
            distortion = seen - inverted
            warped = misalign(distortion, self.scale, self.chance, examples.rng)
        aligned = self.align(warped, inverted)
        scale, shift = self.consult(aligned)
        given = {f"scale.{self.row}": scale, f"shift.{self.row}": shift}
        terms = self.image_terms(resize(self.space.decode(codes.with_given(given)), self.resolution), seen)
        terms["alignment"] = (aligned - distortion).abs().mean()
        loss = self.objective.total(terms)
        optimiser.zero_grad()
        self.descend(loss)
        optimiser.step()
        self.end_step(terms, loss)

    def networks(self) -> dict[str, nn.Module]:
        return {"encoder": self.encoder.network, "grid_align": self.align, "residue": self.consult}

    def known(self) -> tuple[Tensor, int]:
        return self.encoder.mean, self.passes

    def inverter(self, weights: Path) -> HFGI:
        return HFGI(str(weights))
