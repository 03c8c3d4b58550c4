"""Random directions: the row that every table needs, for comparison with what was learned."""

from __future__ import annotations

from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import layer_rows, restrict_to_rows
from latent_lab.paths.linear import LinearPaths


class RandomBasis(Method):
    """A random orthogonal basis. A method must beat it, and it is the floor of every error of order.

    Arguments:
        num_paths: Number K of paths, at most the latent's size.
    """

    reference = True

    def __init__(self, num_paths: int) -> None:
        self.num_paths = num_paths

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Draw the basis."""
        paths = LinearPaths(space.shape[-1], self.num_paths, "orthogonal", 10.0, context.rng).requires_grad_(False)
        return restrict_to_rows(paths, layer_rows(space, None))
