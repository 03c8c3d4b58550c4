"""The base of all families of generators."""

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
    options: tuple[str, ...] = ()  # keywords of space() beside the truncation

    def space(
        self,
        name: str | None = None,
        *,
        truncation: float = 1.0,
        truncation_layers: int | None = None,
        noise: str = "const",
    ) -> LatentSpace:
        """Freeze the generator, and return one of its latent spaces.

        Arguments:
            name: One of ``spaces``; by default the first.
            truncation: Distance of samples from the mean, as a share; 1 is no truncation.
            truncation_layers: Number of the first layers that it reaches (networks with a mapping); None for all.
            noise: Noise maps of samples (StyleGAN2): ``const`` (the stored ones), ``none``, or ``random`` (drawn for
                each image).

        Raises:
            ValueError: if the family has no such space or option.
        """
        name = self.spaces[0] if name is None else name
        if name not in self.spaces:
            raise ValueError(f"space must be one of {self.spaces}, got {name!r}")
        if noise not in ("const", "none", "random"):
            raise ValueError(f"noise must be one of ('const', 'none', 'random'), got {noise!r}")
        options: dict[str, int | str] = {}
        options |= {"truncation_layers": truncation_layers} if truncation_layers is not None else {}
        options |= {"noise": noise} if noise != "const" else {}
        if options.keys() - set(self.options):
            raise ValueError(
                f"{type(self).__name__} takes of truncation_layers and noise {list(self.options)}, got {options}"
            )
        self.eval().requires_grad_(False)
        return LatentSpace(self, name, {"truncation": truncation, **options})

    def convert(self, codes: Codes, source: str, target: str) -> Codes:
        """Convert codes to a later space of ``spaces``; the images stay the same, and the way back is an inversion.

        Arguments:
            codes: Codes in the space ``source``.
            source, target: Names of spaces.

        Raises:
            ValueError: if there are no such spaces, or ``target`` comes before ``source``.
        """
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
            space: Name of their space.
            codes: The codes.
            rng: Source of noise maps, where they are random.
            truncation, truncation_layers, noise: See :meth:`space`.

        Raises:
            ValueError: if the codes need a label, which nothing else can choose.
        """
        if self.classes and space == self.spaces[0] and "label" not in codes.given:
            raise ValueError(
                f"label must be a class from 0 to {self.classes - 1} for each of the codes of space {space}, got none; "
                "space.codes(latents, label) makes such codes"
            )
        return codes

    def radius(self, space: str, latents: Tensor) -> Tensor:
        r"""Return the distance from the prior's centre, with shape :math:`(N,)`: :math:`\|z\|`, and 1 on a spherical
        space."""
        if space in self.spherical:
            return torch.ones_like(latents.flatten(1)[:, 0])
        return torch.linalg.vector_norm(latents.flatten(1), dim=1)

    def noise_maps(self) -> list[Tensor]:
        """Return the stored noise maps :math:`(H, W)`, in the order of ``noise.<i>``; none in a family without
        noise."""
        return []

    def noise_scales(self) -> list[tuple[int, float]]:
        """Return side and standard deviation of each random noise map, in order."""
        return [(len(stored), 1.0) for stored in self.noise_maps()]

    def latent_layers(self, space: str) -> list[str]:
        """Return the layer that each row of a latent feeds; empty where every layer sees the same latent."""
        return []

    @abstractmethod
    def first_weights(self, space: str) -> list[Tensor]:
        r"""Return the first matrices :math:`(\text{out}, D)` that latents are multiplied with: one a layer, in w+ one a
        row.

        Raises:
            NotApplicable: if there are none in this space.
        """

    @abstractmethod
    def latent_shape(self, space: str) -> tuple[int, ...]:
        """Return the shape of one latent of a space."""

    @abstractmethod
    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float = 1.0) -> Codes:
        """Draw codes from the prior, on the CPU; a label first, where there are classes.

        Arguments:
            space: Name of the space.
            num: Number N of codes.
            rng: Source of the random numbers.
            truncation: See :meth:`space`; families with options take those too.
        """

    @abstractmethod
    def decode(self, space: str, codes: Codes) -> Tensor:
        """Return the images :math:`(N, C, H, W)` of codes, about in [-1, 1]."""
