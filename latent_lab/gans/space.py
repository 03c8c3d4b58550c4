"""The door to a generator: latents go in, images come out, and later stages see nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from latent_lab.gans.codes import Codes
from latent_lab.gans.conditional import class_labels

if TYPE_CHECKING:
    from latent_lab.gans.base import Generator


class LatentSpace(nn.Module):
    """One latent space of a frozen generator.

    Arguments:
        generator: The generator, in eval mode and without parameter gradients.
        name: One of ``generator.spaces``.
        sampling: Keywords of the generator's ``sample``, such as ``truncation``.

    Example:
        >>> from latent_lab.gans.shapes import Shapes
        >>> space = Shapes().space()
        >>> codes = space.sample(2, torch.Generator().manual_seed(0))
        >>> codes.latents.shape, space.decode(codes).shape
        (torch.Size([2, 7]), torch.Size([2, 3, 32, 32]))
    """

    def __init__(self, generator: Generator, name: str, sampling: Mapping[str, Any]) -> None:
        super().__init__()
        self.generator = generator
        self.name = name
        self.sampling = dict(sampling)
        self.shape: tuple[int, ...] = generator.latent_shape(name)
        self.layers: list[str] = generator.latent_layers(name)
        self.spherical: bool = name in generator.spherical

    @property
    def device(self) -> torch.device:
        """The device of the generator's tensors."""
        return next((tensor.device for tensor in self.state_dict().values()), torch.device("cpu"))

    def train(self, mode: bool = True) -> LatentSpace:
        """Stay in eval mode, whatever a training around it sets."""
        return super().train(False)

    def sample(self, num: int, rng: torch.Generator) -> Codes:
        """Draw the codes of ``num`` images from the prior, on the CPU, so that every device sees the same ones."""
        return self.generator.sample(self.name, num, rng, **self.sampling)

    def codes(
        self,
        latents: Tensor,
        label: int | Sequence[int] | Tensor | None = None,
        *,
        stored_noise: bool = False,
        rng: torch.Generator | None = None,
    ) -> Codes:
        r"""Make codes of latents by hand, with the truncation and the noise of this space.

        Latents stay as they are, for they are coordinates of the space. Truncation is added where the network applies
        it (z of the style-based families, BigGAN-deep); elsewhere it is a matter of how latents are drawn.

        Arguments:
            latents: Latents, with shape :math:`(N, \dots)`, ending in :attr:`shape`.
            label: A class for all, or one for each; needed in the first space of a class-conditional generator.
            stored_noise, rng: See :meth:`complete`.

        Example:
            >>> from latent_lab.gans.stylegan2 import StyleGAN2
            >>> space = StyleGAN2(4, 4, classes=3, widths=[4, 4], mapping_layers=1).space("z", truncation=0.7)
            >>> codes = space.codes(torch.zeros(2, 4), label=[0, 2])
            >>> {name: value.tolist() for name, value in codes.given.items()}
            {'label': [0, 2], 'truncation': [0.699999988079071, 0.699999988079071]}
            >>> space.decode(codes).shape
            torch.Size([2, 3, 8, 8])
        """
        if tuple(latents.shape[1:]) != self.shape:
            wanted = ", ".join(["N", *map(str, self.shape)])
            raise ValueError(f"latents must have the shape ({wanted}) in space {self.name}, got {tuple(latents.shape)}")
        given = {} if label is None else {"label": class_labels(label, len(latents), self.generator.classes)}
        return self.complete(Codes(latents, given).to(self.device), stored_noise=stored_noise, rng=rng)

    def complete(self, codes: Codes, *, stored_noise: bool = False, rng: torch.Generator | None = None) -> Codes:
        """Return codes with the truncation and the noise of this space, where they have none of their own.

        Arguments:
            codes: The codes.
            stored_noise: True for codes without noise to get the generator's stored maps, whatever the space has.
            rng: Source of the noise maps, where the space's are random.
        """
        if stored_noise and "noise" in self.sampling and not codes.has_noise:
            codes = codes.with_given(noise=torch.ones(len(codes), device=codes.latents.device))
        return self.generator.complete(self.name, codes, rng, **self.sampling)

    def decode(self, codes: Codes, rng: torch.Generator | None = None) -> Tensor:
        """Return images with shape :math:`(N, C, H, W)` in [-1, 1].

        Codes without truncation or noise of their own get the space's, see :meth:`complete`.
        """
        return self.generator.decode(self.name, self.complete(codes, rng=rng))

    def activations(self, codes: Codes, names: Sequence[str]) -> dict[str, Tensor]:
        """Return the outputs of submodules of the generator on the way to the images.

        Arguments:
            codes: The codes.
            names: Names of the submodules.

        Raises:
            ValueError: if there are no such submodules, or they do not run.
        """
        modules = dict(self.generator.named_modules())
        unknown = [name for name in names if name not in modules]
        if unknown:
            raise ValueError(f"names must be submodules of the generator, e.g. {list(modules)[1:4]}, got {unknown}")
        outputs: dict[str, Tensor] = {}

        def keep(name: str) -> RemovableHandle:
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
        r"""Return latents as the generator sees them: on a spherical space (PixelNorm) :math:`\sqrt{D}\, z / \|z\|`,
        else unchanged.

        The generator does not see the radial part of an edit there, so lengths are measured after this.
        """
        if not self.spherical:
            return latents
        return latents * (latents.square().mean(-1, keepdim=True) + 1e-8).rsqrt()

    def radius(self, latents: Tensor) -> Tensor:
        r"""Return the distance from the prior's centre, with shape :math:`(N,)`: :math:`\|z\|`, on a spherical space 1,
        in w the Mahalanobis distance."""
        return self.generator.radius(self.name, latents)
