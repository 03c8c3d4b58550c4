"""The critic of single styles, which keeps an encoder's styles among the mapping's, and the pool of earlier styles that
it sees again."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LatentCritic(nn.Sequential):
    """A critic that maps styles :math:`(N, D)` to scores :math:`(N, 1)`, high for styles that look like the mapping's.

    References:
        | Designing an Encoder for StyleGAN Image Manipulation (Tov et al., 2021), Section 4.1.2
        | https://arxiv.org/abs/2102.02766

    Arguments:
        style_dim: Size D.
        layers: Linear layers, the last of which gives the score.
    """

    def __init__(self, style_dim: int, layers: int = 4) -> None:
        hidden = [part for _ in range(layers - 1) for part in (nn.Linear(style_dim, style_dim), nn.LeakyReLU(0.2))]
        super().__init__(*hidden, nn.Linear(style_dim, 1))

    def gap(self, real: Tensor, found: Tensor) -> Tensor:
        """Return the critic's non-saturating loss on styles :math:`(N, D)` of the mapping and of the encoder."""
        return F.softplus(-self(real)).mean() + F.softplus(self(found)).mean()

    def slope(self, real: Tensor) -> Tensor:
        r"""Return the R1 penalty :math:`\mathbb{E} \|\nabla D(w)\|^2` at styles of the mapping."""
        real = real.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self(real).sum(), real, create_graph=True)
        return gradient.square().sum(1).mean()


class LatentPool(nn.Module):
    """A pool of styles of earlier steps. Each new style is exchanged for one of them with a chance of a half.

    References:
        | Learning from Simulated and Unsupervised Images through Adversarial Training (Shrivastava et al., 2017),
          Section 2.3
        | https://arxiv.org/abs/1612.07828

    Arguments:
        size: Number of styles; 0 for none.
        style_dim: Size D of a style.
    """

    def __init__(self, size: int, style_dim: int) -> None:
        super().__init__()
        self.register_buffer("held", torch.zeros(size, style_dim))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    def exchange(self, latents: Tensor, rng: torch.Generator) -> Tensor:
        """Return as many styles :math:`(N, D)` as are given, some of them earlier ones."""
        size, count = len(self.held), int(self.count)
        free = min(size - count, len(latents))
        self.held[count : count + free] = latents[:free]
        self.count += free
        later = latents[free:]
        swapped = (torch.rand(len(later), generator=rng) < 0.5).nonzero().flatten()[:size]
        places = torch.randperm(size, generator=rng)[: len(swapped)]
        found = later.clone()
        found[swapped], self.held[places] = self.held[places], later[swapped]
        return torch.cat([latents[:free], found])
