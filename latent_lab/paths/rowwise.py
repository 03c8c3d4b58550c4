"""Straight paths of w+ with a step of its own for each layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latent_lab.paths.base import Paths


class RowwisePaths(Paths):
    r"""Paths along directions with a row for each layer of w+.

    .. math:: w'_l = w_l + \varepsilon A_{kl}

    Where all rows of a direction are equal this is the straight edit of w.

    Arguments:
        dim: Size D of a row.
        num_paths: Number K of paths.
        rows: Rows L of w+.
    """

    def __init__(self, dim: int, num_paths: int, rows: int) -> None:
        super().__init__(dim, num_paths)
        self.weight = nn.Parameter(torch.zeros(num_paths, rows, dim))

    @classmethod
    def along(cls, directions: Tensor) -> RowwisePaths:
        """Return frozen paths along directions :math:`(K, L, D)`."""
        num_paths, rows, dim = directions.shape
        paths = cls(dim, num_paths, rows).requires_grad_(False)
        paths.weight.copy_(directions)
        return paths.to(directions.device)

    @property
    def straight(self) -> bool:
        return True

    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        return latents + eps[:, None, None] * self.weight[k]
