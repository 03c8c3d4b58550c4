"""The perceptual distance of images: how different they look to a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class FeatureDistance(nn.Module):
    r"""The distance of images by the feature maps of a network.

    .. math:: \sum_j \frac{1}{N_j} \| F_j(x) - F_j(y) \|^2

    with :math:`N_j` the number of values of the map of layer j. ``normalised`` maps have unit length at each place, and
    :math:`N_j` is the number of places alone, as in LPIPS, whose learned weights of the channels are 1 here: its scale
    does not depend on the network's.

    References:
        | Image2StyleGAN: How to Embed Images Into the StyleGAN Latent Space? (Abdal et al., 2019), Eq. 2
        | https://arxiv.org/abs/1904.03189
        | The Unreasonable Effectiveness of Deep Features as a Perceptual Metric (Zhang et al., 2018), Eq. 1
        | https://arxiv.org/abs/1801.03924

    Arguments:
        features: Maps images :math:`(N, C, H, W)` in [-1, 1] to maps :math:`(N, F, h, w)` by name, frozen.
        layers: Names of the layers that are compared; None for all.
        normalised: Whether maps are compared as LPIPS does.
    """

    def __init__(self, features: nn.Module, layers: Sequence[str] | None = None, normalised: bool = False) -> None:
        super().__init__()
        unknown = [name for name in layers or () if name not in features.layers]
        if unknown or (layers is not None and not layers):
            raise ValueError(f"layers must be among {list(features.layers)}, got {list(layers)}")
        self.features, self.layers, self.normalised = features, tuple(layers or features.layers), normalised

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        """Return the maps of images that are compared, by layer, so that a target that stays is read once."""
        return self.select(self.features(images))

    def select(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the network's maps of the layers that are compared, scaled to unit length if ``normalised``."""
        return {name: unit(maps[name]) if self.normalised else maps[name] for name in self.layers}

    def between(self, here: Mapping[str, Tensor], there: Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        """Return the distances :math:`(N,)` of maps that :meth:`select` returned; ``mask`` as in :meth:`forward`."""
        total = 0.0
        for name, values in here.items():
            squares = (values - there[name]).square()
            places = squares.sum(1) if self.normalised else squares.mean(1)
            if mask is not None:
                places = places * F.interpolate(mask, places.shape[1:], mode="area")[:, 0]
            total = total + places.mean((1, 2))
        return total

    def forward(self, one: Tensor, other: Tensor | Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        """Return the distances of images, with shape :math:`(N,)`.

        Arguments:
            one: Images :math:`(N, C, H, W)` in [-1, 1].
            other: Images, or the :meth:`maps` of images.
            mask: Weights of the pixels, :math:`(N, 1, H, W)` in [0, 1], reduced to the size of each map; the places
                that it leaves out count as equal.
        """
        return self.between(self.maps(one), self.maps(other) if isinstance(other, Tensor) else other, mask)


def unit(values: Tensor) -> Tensor:
    """Scale maps so that the vectors at each place have length 1; 0 stays 0."""
    return values * (values.square().sum(1, keepdim=True) + 1e-10).rsqrt()
