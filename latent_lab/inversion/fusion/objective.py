"""The loss of a fused image: each region as in its source, and all of them in the pose of the common image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.gans.styled import StyleGenerator
from latent_lab.inversion.fusion.net import FusionNet, StyleLayout


def statistics(maps: Tensor, mask: Tensor) -> Tensor:
    """Return the mean and the standard deviation of each channel within a region, :math:`(N, 2F)`, wherever the
    region's pixels are.

    Arguments:
        maps: An image, or maps of a network, with shape :math:`(N, F, h, w)`.
        mask: The region, :math:`(N, 1, H, W)` in [0, 1].
    """
    weights = F.interpolate(mask, maps.shape[2:], mode="area")
    weights = weights / weights.sum((2, 3), keepdim=True).clamp_min(1e-6)
    mean = (maps * weights).sum((2, 3))
    variance = ((maps - mean[..., None, None]).square() * weights).sum((2, 3))
    return torch.cat([mean, (variance + 1e-8).sqrt()], 1)


def region_error(one: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """Return the mean squared difference of images within a region, with shape :math:`(N,)`."""
    return ((one - other).square().mean(1, keepdim=True) * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp_min(1e-6)


@dataclass
class FusionObjective:
    r"""The loss of one division into two regions, for sources a and b and the common image c.

    With :math:`x_a = G(a)`, masks :math:`m_a = M(x_a)` of the first region, :math:`a' = B_c(a, c)` and the fused image
    x,

    .. math:: L_{\text{region}} &= \|x - G(a')\|^2_{m_c} + \|x - G(b')\|^2_{1 - m_c} \\
              L_{\text{pose}} &= \tfrac13 \big(\|M(G(a')) - m_c\|^2 + \|M(G(b')) - m_c\|^2 + \|M(x) - m_c\|^2\big) \\
              L_{\text{look}} &= \|S(G(a'), m_{a'}) - S(x_a, m_a)\|^2 + \|S(G(b'), 1 - m_{b'}) - S(x_b, 1 - m_b)\|^2

    where S are :func:`statistics` of pixels and of a network's maps. The design, and why, is in
    ``docs/stylefusion.md``; the published training was never released.

    Arguments:
        region, pose, look: Weights of the three terms.
    """

    region: float = 1.0
    pose: float = 1.0
    look: float = 1.0

    def terms(
        self,
        network: FusionNet,
        generator: StyleGenerator,
        places: StyleLayout,
        styles: tuple[Tensor, Tensor, Tensor],
        given: dict[str, Tensor],
        mask: Callable[[Tensor], Tensor],
        maps: Callable[[Tensor], dict[str, Tensor]] | None,
    ) -> dict[str, Tensor]:
        """Return the terms ``region``, ``pose`` and ``look``, and their weighted sum ``loss``.

        Arguments:
            network: The network that is trained.
            generator: The generator that shows its images.
            places: Layout of the generator's style vectors.
            styles: Latents of s of a, b and c, :math:`(N, S)` each.
            given: Whatever else fixes the images, by name.
            mask: Finds the first region of images, :math:`(N, 1, H, W)` in [0, 1].
            maps: Returns a network's maps of images; None compares the pixels alone.
        """
        sizes = generator.style_sizes()

        def image(latents: Tensor) -> Tensor:
            return generator.render(latents.split(sizes, 1), given)

        def looks(images: Tensor, region: Tensor) -> Tensor:
            found = [images, *(maps(images).values() if maps is not None else ())]
            return torch.cat([statistics(part, region) / part.shape[1] ** 0.5 for part in found], 1)

        a, b, c = styles
        with torch.no_grad():
            sources = [image(a), image(b)]
            masks = [mask(sources[0]), 1 - mask(sources[1])]
            wanted = [looks(source, region) for source, region in zip(sources, masks)]
            pose = mask(image(c))
        posed = [image(network.align(a, c, places)), image(network.align(b, c, places))]
        fused = image(network(a, b, c, places))
        found = [mask(posed[0]), mask(posed[1]), mask(fused)]
        regions = [region_error(fused, posed[0].detach(), pose), region_error(fused, posed[1].detach(), 1 - pose)]
        # the masks are held: a region that shrank to what is easily matched would look right too
        looked = [
            (looks(posed[0], found[0].detach()) - wanted[0]),
            (looks(posed[1], 1 - found[1].detach()) - wanted[1]),
        ]
        terms = {
            "region": sum(regions).mean(),
            "pose": sum((each - pose).square().mean() for each in found) / 3,
            "look": sum(each.square().sum(1).mean() for each in looked),
        }
        terms["loss"] = self.region * terms["region"] + self.pose * terms["pose"] + self.look * terms["look"]
        return terms
