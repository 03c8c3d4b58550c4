"""The door to a generator: latents go in, images come out, nothing else is visible downstream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from latent_lab.gans.codes import Codes

if TYPE_CHECKING:
    from latent_lab.gans.base import Generator


class LatentSpace(nn.Module):
    """One latent space of a frozen generator.

    Arguments:
        generator: The generator, in eval mode and without parameter gradients.
        name: One of ``generator.spaces``.
        sampling: What the generator's ``sample`` takes: ``truncation`` and the like.
    """

    def __init__(self, generator: Generator, name: str, sampling: Mapping[str, object]) -> None:
        super().__init__()
        self.generator = generator
        self.name = name
        self.sampling = dict(sampling)
        self.shape: tuple[int, ...] = generator.latent_shape(name)
        self.layers: list[str] = generator.latent_layers(name)
        self.spherical: bool = name in generator.spherical

    @property
    def device(self) -> torch.device:
        """Where the generator's tensors are."""
        return next((tensor.device for tensor in self.state_dict().values()), torch.device("cpu"))

    def train(self, mode: bool = True) -> LatentSpace:
        """Stays in eval mode, whatever a training around it sets."""
        return super().train(False)

    def sample(self, num: int, rng: torch.Generator) -> Codes:
        """Codes of ``num`` images of the prior. Drawn on the CPU, so that every device sees the same ones."""
        return self.generator.sample(self.name, num, rng, **self.sampling)

    def decode(self, codes: Codes) -> Tensor:
        """Images with shape :math:`(N, C, H, W)` in [-1, 1]."""
        return self.generator.decode(self.name, codes)

    def activations(self, codes: Codes, names: Sequence[str]) -> dict[str, Tensor]:
        """Outputs of the named submodules of the generator on the way to the images."""
        modules = dict(self.generator.named_modules())
        unknown = [name for name in names if name not in modules]
        if unknown:
            raise ValueError(f"names must be submodules of the generator, e.g. {list(modules)[1:4]}, got {unknown}")
        outputs: dict[str, Tensor] = {}

        def keep(name: str):
            return modules[name].register_forward_hook(lambda module, inputs, output: outputs.update({name: output}))

        hooks = [keep(name) for name in names]
        try:
            self.decode(codes)
        finally:
            for hook in hooks:
                hook.remove()
        if outputs.keys() != set(names):
            raise ValueError(f"names must be submodules that run, got {sorted(set(names) - outputs.keys())}")
        return outputs

    def visible(self, latents: Tensor) -> Tensor:
        r"""Latents as the generator sees them: on a spherical space (PixelNorm) :math:`\sqrt{D}\, z / \|z\|`, else
        unchanged.

        The generator does not see the radial part of an edit there, so lengths are measured after this.
        """
        if not self.spherical:
            return latents
        return latents * (latents.square().mean(-1, keepdim=True) + 1e-8).rsqrt()

    def radius(self, latents: Tensor) -> Tensor:
        r"""How far out in the prior, with shape :math:`(N,)`: :math:`\|z\|`, on a spherical space 1, in w the
        Mahalanobis distance."""
        return self.generator.radius(self.name, latents)
