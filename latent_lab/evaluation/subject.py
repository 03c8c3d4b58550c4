"""The subject of an evaluation: paths, with all that can measure them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from latent_lab.attributes.base import Attributes, Predictor
from latent_lab.data.folder import FolderImages
from latent_lab.data.images import IdxImages
from latent_lab.gans.space import LatentSpace
from latent_lab.paths.base import Paths


@dataclass(frozen=True)
class Subject:
    """Paths in a latent space, and what measures the images that they lead to.

    Arguments:
        space: The latent space.
        paths: The paths that are scored.
        attributes: Measures the attributes of images; None where nothing does.
        identity: Embeds who or what an image shows; None where nothing does.
        perceptual: Distance of pairs of images; None where there is no such network.
        data: Real images like the generator's; None where there are none.
        judges: Measures some of the same attributes by other means, which no method was trained on; None where nothing
            does.
        absent: Why a part is None, by the part's name, where there is more to say than that nobody gave one.
    """

    space: LatentSpace
    paths: Paths
    attributes: Attributes | None = None
    identity: Predictor | None = None
    perceptual: nn.Module | None = None
    data: IdxImages | FolderImages | None = None
    judges: Attributes | None = None
    absent: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.paths.bind(self.attributes)

    def to(self, device: torch.device | str) -> Subject:
        """Move all networks to a device, and return the same subject."""
        for part in (self.space, self.paths, self.attributes, self.judges, self.identity, self.perceptual):
            if part is not None:
                part.to(device)
        return self
