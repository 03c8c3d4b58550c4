"""What every family of generators offers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.ops.recorded import Recorded


class Generator(Recorded, nn.Module, ABC):
    """A pretrained network, frozen: eval mode, no parameter gradients.

    A family sets ``resolution``, ``channels`` and ``spaces``, ``classes`` where it has some, and implements the
    abstract methods. ``config`` holds the arguments that rebuild it; it is stored beside the weights.
    """

    resolution: int
    channels: int
    spaces: tuple[str, ...]
    spherical: tuple[str, ...] = ()  # spaces that the network normalises first, so that radial edits are invisible
    classes: int = 0  # number of classes, which codes of the first space name in ``given["label"]``; 0 for none
    options: tuple[str, ...] = ()  # what space() takes beside the truncation

    def space(
        self,
        name: str | None = None,
        *,
        truncation: float = 1.0,
        truncation_layers: int | None = None,
        noise: str = "const",
    ) -> LatentSpace:
        """A latent space, with the generator frozen.

        Arguments:
            name: One of ``spaces``; by default the first.
            truncation: How far samples are from the mean, as a share; 1 is no truncation.
            truncation_layers: How many of the first layers it reaches (networks with a mapping); None for all.
            noise: Noise maps of samples (StyleGAN2): ``const`` (the stored ones), ``none``, or ``random`` (drawn for
                each image).
        """
        name = self.spaces[0] if name is None else name
        if name not in self.spaces:
            raise ValueError(f"space must be one of {self.spaces}, got {name!r}")
        if noise not in ("const", "none", "random"):
            raise ValueError(f"noise must be one of ('const', 'none', 'random'), got {noise!r}")
        options = {"truncation_layers": truncation_layers} if truncation_layers is not None else {}
        options |= {"noise": noise} if noise != "const" else {}
        if options.keys() - set(self.options):
            raise ValueError(
                f"{type(self).__name__} takes of truncation_layers and noise {list(self.options)}, got {options}"
            )
        self.eval().requires_grad_(False)
        return LatentSpace(self, name, {"truncation": truncation, **options})

    def convert(self, codes: Codes, source: str, target: str) -> Codes:
        """The same images' codes in a later space of ``spaces``; the way back is an inversion."""
        if source not in self.spaces or target not in self.spaces[self.spaces.index(source) :]:
            raise ValueError(f"source and target must be of {self.spaces} in this order, got {source!r} and {target!r}")
        return codes

    def complete(
        self,
        space: str,
        codes: Codes,
        rng: torch.Generator | None = None,
        truncation: float = 1.0,
        truncation_layers: int | None = None,
        noise: str = "const",
    ) -> Codes:
        """Return codes with all of ``given`` that :meth:`sample` would have put there and they do not have.

        Latents stay as they are: where truncation is a matter of how latents are drawn there is nothing to add. A
        family that reads truncation or noise from ``given`` extends this.

        Arguments:
            space: Of the codes.
            codes: N of them.
            rng: Source of noise maps, where they are random.
            truncation, truncation_layers, noise: See :meth:`space`.

        Raises:
            ValueError: The codes need a label, which nothing else can choose.
        """
        if self.classes and space == self.spaces[0] and "label" not in codes.given:
            raise ValueError(
                f"label must be a class from 0 to {self.classes - 1} for each of the codes of space {space}, got none; "
                "space.codes(latents, label) makes such codes"
            )
        return codes

    def radius(self, space: str, latents: Tensor) -> Tensor:
        r"""How far out in the prior, with shape :math:`(N,)`: :math:`\|z\|`, on a spherical space the constant 1."""
        if space in self.spherical:
            return torch.ones_like(latents.flatten(1)[:, 0])
        return torch.linalg.vector_norm(latents.flatten(1), dim=1)

    def noise_maps(self) -> list[Tensor]:
        """The stored noise maps :math:`(H, W)`, in the order of ``noise.<i>``; none in a family without noise."""
        return []

    def noise_scales(self) -> list[tuple[int, float]]:
        """Side and standard deviation of each random noise map, in order."""
        return [(len(stored), 1.0) for stored in self.noise_maps()]

    def latent_layers(self, space: str) -> list[str]:
        """Which layer each row of a latent feeds; empty where every layer sees the same latent."""
        return []

    @abstractmethod
    def first_weights(self, space: str) -> list[Tensor]:
        r"""What the latents of a space are multiplied with first: one matrix :math:`(\text{out}, D)` a layer; in w+ one
        a row.

        :class:`NotApplicable` where nothing is.
        """

    @abstractmethod
    def latent_shape(self, space: str) -> tuple[int, ...]: ...

    @abstractmethod
    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float = 1.0) -> Codes: ...

    @abstractmethod
    def decode(self, space: str, codes: Codes) -> Tensor: ...
