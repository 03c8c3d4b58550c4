"""SeFa: directions that the generator's first layer amplifies most."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import layer_rows, restrict_to_rows
from latent_lab.paths.linear import LinearPaths, fix_signs


class SeFa(Method):
    r"""Closed-form factorisation of the weights that the latent is multiplied with first.

    .. math:: n_k = \text{eigenvectors of } A^\top A,\ \text{largest eigenvalue first}

    A holds the matrices of all layers that read the latent, one below the other; in w+ those of ``layers``. An amount
    of 1 is a length of 1 in the latent. Nothing is sampled.

    References:
        | Closed-Form Factorization of Latent Semantics in GANs (Shen & Zhou, 2021), Eq. 6
        | https://arxiv.org/abs/2007.06600

    Arguments:
        num_paths: Number K of paths, at most the latent's size.
        layers: Layer range of w+, see :func:`latent_lab.paths.layerwise.layer_rows`.
        normalise: Rows of A at length 1, as the published code has them; the paper's equation has not.
    """

    seeded = False

    def __init__(
        self, num_paths: int, layers: int | str | Sequence[int | str] | None = None, normalise: bool = False
    ) -> None:
        self.num_paths, self.layers, self.normalise = num_paths, layers, normalise

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Find the eigenvectors of the weights."""
        rows, weights = layer_rows(space, self.layers), space.generator.first_weights(space.name)
        matrix = torch.cat(
            [weight.detach().double() for weight in (weights if rows is None else [weights[row] for row in rows])]
        )
        if not 0 < self.num_paths <= matrix.shape[1]:
            raise ValueError(
                f"method.num_paths must be from 1 to the latent's size {matrix.shape[1]}, got {self.num_paths}"
            )
        if self.normalise:
            matrix = F.normalize(matrix, dim=1)
        directions = torch.linalg.eigh(matrix.mT @ matrix).eigenvectors.flip(1)[:, : self.num_paths]
        return restrict_to_rows(LinearPaths.along(fix_signs(directions)), rows)
