"""The local basis: directions of the mapping at the image that is edited."""

from __future__ import annotations

from collections.abc import Sequence

from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method
from latent_lab.ops.streams import TRAINING, stream
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import layer_rows
from latent_lab.paths.local import LocalBasisPaths


class LocalBasis(Method):
    """Directions of the mapping at each edited image. Nothing is fitted.

    The directions are found where an edit starts; see :class:`latent_lab.paths.local.LocalBasisPaths`.

    Arguments:
        num_paths: Number K of paths, at most the size of w.
        layers: Layer range of w+, see :func:`latent_lab.paths.layerwise.layer_rows`.
    """

    seeded = False

    def __init__(self, num_paths: int, layers: int | str | Sequence[int | str] | None = None) -> None:
        self.num_paths, self.layers = num_paths, layers

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Return paths that find their directions at each image.

        Raises:
            NotApplicable: The space has no mapping.
        """
        paths = LocalBasisPaths(space.shape[-1], self.num_paths, layer_rows(space, self.layers))
        # a space that has no mapping is said now
        paths.anchor(space, space.sample(1, stream(context.seed, 0, 0, TRAINING)))
        return paths
