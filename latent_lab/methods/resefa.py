"""ReSeFa: directions that change a region and keep the rest."""

from __future__ import annotations

from torch import Tensor, nn

from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context
from latent_lab.methods.regional import Regional
from latent_lab.ops.region import region_masks
from latent_lab.ops.streams import TRAINING, stream
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import layer_rows
from latent_lab.paths.local import RegionalPaths, generalised_directions


class ReSeFa(Regional):
    r"""Region-based semantic factorisation: directions that change a region most and the rest least.

    .. math:: \max_n \frac{n^\top J_f^\top J_f\, n}{n^\top (J_b^\top J_b + \tau\, \overline{\lambda}_b I)\, n}

    :math:`J_f` and :math:`J_b` are the rows of the image's Jacobian within the region and outside it,
    :math:`\overline{\lambda}_b` is the mean eigenvalue of :math:`J_b^\top J_b`. An amount of 1 is a length of 1 in the
    latent (in w+ in each edited row).

    References:
        | Region-Based Semantic Factorization in GANs (Zhu et al., 2022), Eq. 5-7
        | https://arxiv.org/abs/2202.09649

    Arguments:
        tau: Regulariser, in mean eigenvalues of the background's metric. The published code adds 1e-3 of its trace with
            ``--full_rank``, which is 0.5 at D = 512, and else nothing.
        per_image: Whether directions are found for each image where an edit starts, as in the paper, instead of for the
            mean over samples.
        options: Options of :class:`latent_lab.methods.regional.Regional`.
    """

    def __init__(self, tau: float, per_image: bool = False, **options) -> None:
        super().__init__(**options)
        if tau < 0:
            raise ValueError(f"method.tau must be at least 0, got {tau}")
        if per_image and (isinstance(self.region, nn.Module) or self.rank is not None):
            raise ValueError(
                "method.per_image needs a region that is a box or a mask's file, which is kept with the paths, "
                "and rank=null"
            )
        self.tau, self.per_image = tau, per_image
        self.seeded = not per_image  # nothing is drawn but what is printed
        self.previews &= not per_image  # the paths keep the mask of the images that are edited

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Find the directions, or with ``per_image`` return paths that find them at each image."""
        if not self.per_image:
            return super().fit(space, context)
        codes = space.sample(1, stream(context.seed, 0, 0, TRAINING))
        mask = region_masks(self.region, space, codes)[0, 0]
        paths = RegionalPaths(
            space.shape[-1], self.num_paths, layer_rows(space, self.layers), len(mask), self.tau, self.chunk
        )
        paths.mask.copy_(mask)
        self.report(space, paths.to(space.device), context.seed)
        return paths

    def find_directions(self, foreground: Tensor, background: Tensor) -> Tensor:
        """Return the generalised eigenvectors as columns, largest eigenvalue first."""
        return generalised_directions(foreground, background, self.tau)
