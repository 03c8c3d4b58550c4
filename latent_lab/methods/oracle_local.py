"""The local oracle: a reference whose directions are measured at each image, with full supervision."""

from __future__ import annotations

from collections.abc import Sequence

from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method
from latent_lab.methods.oracle_straight import principal_axes
from latent_lab.methods.scores import measure_deviations, score_samples
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import layer_rows
from latent_lab.paths.oracle_local import OracleLocalPaths


class OracleLocal(Method):
    """One path for each attribute, whose direction is found where an edit starts; see :class:`OracleLocalPaths`.

    It shows what small straight edits can reach where nothing has to hold for more than one image. It is no upper
    bound: a finite edit leaves the place where its direction was measured.

    Arguments:
        attributes: Names of the dataset's attributes, a path each; None for all.
        num_samples: Samples that the attributes' deviations are measured on.
        rank: Number of principal axes of the latents that directions are made of; None for all coordinates as they are.
        tau: Regulariser, see :func:`latent_lab.paths.oracle_local.ridge_inverse`.
        step: Length of a difference, see :func:`latent_lab.ops.jacobian.attribute_jacobian`.
        batch_size: Images decoded at once.
    """

    supervised = True
    reference = True

    def __init__(
        self,
        attributes: Sequence[str] | None,
        num_samples: int,
        rank: int | None = None,
        tau: float = 0.03,
        step: float = 0.1,
        batch_size: int = 64,
    ) -> None:
        self.attributes, self.num_samples, self.rank = attributes, num_samples, rank
        self.tau, self.step, self.batch_size = tau, step, batch_size

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Measure the deviations, and return paths that find their directions at each image."""
        attributes = context.require_attributes(self.attributes)
        latents, values = score_samples(space, attributes, self.num_samples, context.rng, self.batch_size)
        context.findings["names"] = names = list(attributes.names)
        paths = OracleLocalPaths(
            space.shape[-1], len(names), names, layer_rows(space, None), self.rank, self.tau, self.step
        )
        paths.deviations.copy_(measure_deviations(attributes, values))
        paths.axes.copy_(principal_axes(latents, self.rank))
        paths.bind(attributes)
        return paths
