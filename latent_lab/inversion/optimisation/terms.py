"""The losses of Image2StyleGAN++: each compares images within a mask, and all share one pass of the feature network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.attributes.base import FeatureNetwork
from latent_lab.inversion.perceptual import FeatureDistance


class Term(ABC):
    """A weighted loss of images :math:`(N, C, H, W)` with shape :math:`(N,)`. Terms that read feature maps get them by
    layer."""

    @abstractmethod
    def __call__(self, images: Tensor, maps: Mapping[str, Tensor] | None) -> Tensor: ...


class Pixels(Term):
    r"""The weighted mean squared error of pixels, :math:`\frac{\lambda}{CHW} \|M \odot (G - x)\|^2`.

    Arguments:
        target: Images x, with shape :math:`(N, C, H, W)` or for all the same :math:`(1, C, H, W)`.
        mask: M, with shape :math:`(N, 1, H, W)` or :math:`(1, 1, H, W)`; None for all pixels.
        weight: :math:`\lambda`.
    """

    def __init__(self, target: Tensor, mask: Tensor | None, weight: float) -> None:
        self.target, self.mask, self.weight = target, mask, weight

    def __call__(self, images: Tensor, maps: Mapping[str, Tensor] | None) -> Tensor:
        error = images - self.target
        return self.weight * (error if self.mask is None else self.mask * error).square().flatten(1).mean(1)


class Perceptual(Term):
    r"""A distance of feature maps :math:`\lambda\, L_\text{percept}(M, G, x)`, the mask averaged down to each map's
    size.

    Arguments:
        distance: The distance of feature maps.
        target: Images x.
        mask, weight: See :class:`Pixels`.
    """

    def __init__(self, distance: FeatureDistance, target: Tensor, mask: Tensor | None, weight: float) -> None:
        self.distance, self.mask, self.weight = distance, mask, weight
        with torch.no_grad():
            self.target = distance.maps(target)

    def __call__(self, images: Tensor, maps: Mapping[str, Tensor] | None) -> Tensor:
        return self.weight * self.distance.between(self.distance.select(maps), self.target, self.mask)


def gram(maps: Tensor, mask: Tensor | None) -> Tensor:
    r"""Return the Gram matrix :math:`(N, F, F)` of maps :math:`(N, F, h, w)` within the mask, :math:`\sum_p m_p^2
    \phi_p \phi_p^\top / \sum_p m_p^2`: which channels go together."""
    if mask is None:
        rows = maps.flatten(2)
        return rows @ rows.mT / rows.shape[2]
    rows = (maps * mask).flatten(2)
    return rows @ rows.mT / mask.square().flatten(1).sum(1).clamp_min(1e-8)[:, None, None]


class Style(Term):
    r"""The difference of Gram matrices of one layer's maps :math:`\phi`, :math:`\lambda \|\mathrm{Gram}(M \odot
    \phi(G)) - \mathrm{Gram}(M \odot \phi(y))\|^2 / \|\mathrm{Gram}(M \odot \phi(y))\|^2`.

    The paper has no denominator: with it a weight means the same for every network, layer and mask.

    Arguments:
        features: The feature network.
        target: Images y, whose style is taken.
        layer: Layer of the network; None for the middle one.
        mask, weight: See :class:`Pixels`.
    """

    def __init__(
        self, features: FeatureNetwork, target: Tensor, layer: str | None, mask: Tensor | None, weight: float
    ) -> None:
        self.layer, self.weight = features.layers[len(features.layers) // 2] if layer is None else layer, weight
        if self.layer not in features.layers:
            raise ValueError(f"style_layer must be one of {list(features.layers)}, got {layer!r}")
        with torch.no_grad():
            maps = features(target)[self.layer]
            self.mask = None if mask is None else F.interpolate(mask, maps.shape[2:], mode="area")
            self.target = gram(maps, self.mask)
            self.size = self.target.square().flatten(1).mean(1).clamp_min(1e-12)

    def __call__(self, images: Tensor, maps: Mapping[str, Tensor] | None) -> Tensor:
        return self.weight * (gram(maps[self.layer], self.mask) - self.target).square().flatten(1).mean(1) / self.size


class MaskedLoss:
    """The sum of terms, with shape :math:`(N,)`. The feature network runs once, and only where a term reads it."""

    def __init__(self, features: FeatureNetwork | None, terms: Sequence[Term]) -> None:
        self.features, self.terms = features, list(terms)
        self.reads = any(not isinstance(term, Pixels) for term in self.terms)

    def __call__(self, images: Tensor) -> Tensor:
        maps = self.features(images) if self.reads else None
        return torch.stack([term(images, maps) for term in self.terms]).sum(0)
