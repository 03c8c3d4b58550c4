"""What every family of generators offers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from latent_lab.gans.space import Codes, LatentSpace


class Generator(nn.Module, ABC):
    """A pretrained network, frozen: eval mode, no parameter gradients.

    A family sets ``resolution``, ``channels`` and ``spaces`` and implements the abstract methods. ``config`` holds the
    arguments that rebuild it; it is stored beside the weights.
    """

    resolution: int
    channels: int
    spaces: tuple[str, ...]
    spherical: tuple[str, ...] = ()  # spaces that the network normalises first, so that radial edits are invisible
    config: dict

    def space(self, name: str | None = None, *, truncation: float = 1.0) -> LatentSpace:
        """The latent space of that name (the first of ``spaces`` by default), with the generator frozen."""
        name = self.spaces[0] if name is None else name
        if name not in self.spaces:
            raise ValueError(f"space must be one of {self.spaces}, got {name!r}")
        self.eval().requires_grad_(False)
        return LatentSpace(self, name, truncation)

    def latent_layers(self, space: str) -> list[str]:
        """Which layer each row of a latent feeds; empty where every layer sees the same latent."""
        return []

    @abstractmethod
    def latent_shape(self, space: str) -> tuple[int, ...]: ...

    @abstractmethod
    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float) -> Codes: ...

    @abstractmethod
    def decode(self, space: str, codes: Codes) -> Tensor: ...
