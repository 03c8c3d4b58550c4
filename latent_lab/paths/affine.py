"""Paths whose direction is a linear function of the latent."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.paths.base import Paths


class AffinePaths(Paths):
    r"""Paths that leave each latent along a unit vector that depends on it, as far as the amount.

    .. math:: z' = z + \varepsilon \frac{W_k z + b_k}{\|W_k z + b_k\|}

    One step, whatever its length: the way back starts elsewhere and leads elsewhere.

    References:
        | LatentCLR: A Contrastive Learning Approach for Unsupervised Discovery of Interpretable Directions (Yuksel et
          al., 2021), Section 3, the nonlinear model as published
        | https://arxiv.org/abs/2104.00820

    Arguments:
        dim: Size D of a latent.
        num_paths: Number K of paths.
        rng: Source of the initial values, those of linear layers of torch.

    Example:
        >>> moved = AffinePaths(dim=4, num_paths=2).shift(torch.ones(1, 4), torch.tensor([1]), torch.tensor([2.5]))
        >>> round(torch.linalg.vector_norm(moved - 1).item(), 4)
        2.5
    """

    def __init__(self, dim: int, num_paths: int, rng: torch.Generator | None = None) -> None:
        super().__init__(dim, num_paths)
        bound = dim**-0.5
        self.weights = nn.Parameter(bound * (2 * torch.rand(num_paths, dim, dim, generator=rng) - 1))
        self.biases = nn.Parameter(bound * (2 * torch.rand(num_paths, dim, generator=rng) - 1))

    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        field = torch.einsum("nij,nj->ni", self.weights[k], latents) + self.biases[k]
        return latents + eps[:, None] * F.normalize(field, dim=1)
