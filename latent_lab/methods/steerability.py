"""GAN steerability: walks that imitate transformations of the image."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context
from latent_lab.methods.transformations import make_parameters, transform
from latent_lab.methods.walk import Target


class TransformationTarget(Target):
    r"""A transformed image that the walk must reach, compared at all pixels that are known.

    .. math:: L = \mathbb{E}\, \frac{\sum_p m_p \left(G(\phi_k^\varepsilon(z)) - T_{k,
        \varepsilon}(G(z))\right)_p^2}{\sum_p m_p}

    with m = 0 for pixels that the transformation takes from outside the image; or a perceptual distance of the two,
    both times m. One unit of amount transforms by ``transformations[name]``.

    References:
        | On the "steerability" of generative adversarial networks (Jahanian et al., 2020), Eq. 1
        | https://arxiv.org/abs/1907.07171

    Arguments:
        transformations: By name, the parameter of one unit of amount, see :func:`transform`.
        distance: Distance :math:`(N,)` of two batches of images (LPIPS); None for the masked squared error.
        space: The latent space of the walks.
        context: Context of the method; not used here.
        amounts: Smallest and largest magnitude of a training amount. The largest one sets how far realised
            transformations are searched.
    """

    def __init__(
        self,
        transformations: Mapping[str, float],
        distance: nn.Module | None = None,
        *,
        space: LatentSpace,
        context: Context,
        amounts: tuple[float, float],
    ) -> None:
        super().__init__()
        self.names, self.distance = tuple(transformations), distance
        self.register_buffer("units", make_parameters(transformations, space.generator.channels), persistent=False)
        # realised transformations are looked for up to three times what the training asks for
        self.register_buffer("grid", amounts[1] * torch.arange(-24, 25) / 8, persistent=False)

    def distances(self, after: Tensor, asked: Tensor, known: Tensor) -> Tensor:
        """Return the distances :math:`(N,)` of images where they are known."""
        if self.distance is not None:
            return self.distance(known * after, known * asked)
        pixels = after.shape[1] * known.sum((1, 2, 3)).clamp_min(1)
        return (known * (after - asked).square()).sum((1, 2, 3)) / pixels

    def losses(self, codes: Codes, before: Tensor, moved: Codes, after: Tensor, amounts: Tensor) -> dict[str, Tensor]:
        """Return the mean distance to the transformed images."""
        return {"distance": self.distances(after, *transform(before, amounts @ self.units)).mean()}

    def realised(self, codes: Codes, before: Tensor, moved: Codes, after: Tensor, k: Tensor) -> Tensor:
        """Return the amount of the transformation that explains each image best, :math:`(N,)`, among those that leave
        half of the image known."""
        found = []
        for amount in self.grid:
            asked, known = transform(before, amount * self.units[k])
            distance = self.distances(after, asked, known)
            found.append(distance.where(known.mean((1, 2, 3)) >= 0.5, torch.full_like(distance, torch.inf)))
        return self.grid[torch.stack(found, 1).argmin(1)]
