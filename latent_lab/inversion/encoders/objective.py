"""The terms of an encoder's loss and their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class EncoderObjective:
    """Weights of the terms of an encoder's loss.

    Arguments:
        pixels: Weight of the mean squared error of the image.
        features: Weight of the distance of a network's features (LPIPS as published).
        identity: Weight of one minus the cosine of the embeddings of who or what is shown.
        latents: Weight of the mean squared error of the latents, which are known for a generator's own samples.
        offsets: Weight of the mean length of a row's offset from the mean style (pSp's for segmentations and sketches).
        deltas: Weight of the summed mean lengths of the rows' differences from the first row (e4e).
        critic: Weight of the critic's doubt that each row is the mapping's (e4e).
        alignment: Weight of the mean absolute error of a distortion that was misaligned and aligned again (HFGI).
    """

    pixels: float = 1.0
    features: float = 0.8
    identity: float = 0.1
    latents: float = 0.0
    offsets: float = 0.0
    deltas: float = 0.0
    critic: float = 0.0
    alignment: float = 0.0

    def __post_init__(self) -> None:
        for name, weight in asdict(self).items():
            if not weight >= 0:
                raise ValueError(f"encoder.objective.{name} must be at least 0, got {weight}")
        if not any(asdict(self).values()):
            raise ValueError("encoder.objective must have a weight above 0, got only zeros")

    @property
    def sees_images(self) -> bool:
        """Tell whether a term needs the image that codes decode to."""
        return bool(self.pixels or self.features or self.identity)

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of the terms. Every term with a weight must be there."""
        weights = {name: weight for name, weight in asdict(self).items() if weight}
        missing = sorted(weights.keys() - terms.keys())
        if missing:
            raise ValueError(
                f"encoder.objective.{missing[0]} must be 0 here: this training has no such term, "
                f"got {weights[missing[0]]}"
            )
        return torch.stack([weight * terms[name].float() for name, weight in weights.items()]).sum()


class ImageTerms(nn.Module):
    """The terms of the loss that compare images :math:`(N, C, R, R)` in [-1, 1].

    Arguments:
        objective: Weights, which tell the terms that are needed.
        distance: Measures the distance :math:`(N,)` of the features of two batches; may be None where its weight is 0.
        identity: Embeds images as :math:`(N, E)`; may be None where its weight is 0.
    """

    def __init__(self, objective: EncoderObjective, distance: nn.Module | None, identity: nn.Module | None) -> None:
        super().__init__()
        for name, network in (("features", distance), ("identity", identity)):
            if getattr(objective, name) and network is None:
                raise ValueError(
                    f"encoder.objective.{name} must be 0 with this dataset=, "
                    f"which names no such network (dataset.{name}), got {getattr(objective, name)}"
                )
        self.objective = objective
        self.distance = distance if objective.features else None
        self.identity = identity if objective.identity else None
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> ImageTerms:
        """Stay in eval mode, whatever mode a training around it sets."""
        return super().train(False)

    def forward(self, images: Tensor | None, seen: Tensor) -> dict[str, Tensor]:
        """Return the terms by name. ``images`` are the reconstructions of ``seen``; None where no term needs them."""
        terms: dict[str, Tensor] = {}
        if self.objective.pixels:
            terms["pixels"] = (images - seen).square().mean()
        if self.distance is not None:
            terms["features"] = self.distance(images, seen).mean()
        if self.identity is not None:
            with torch.no_grad():
                known = self.identity(seen)
            terms["identity"] = 1 - torch.cosine_similarity(self.identity(images), known).mean()
        return terms
