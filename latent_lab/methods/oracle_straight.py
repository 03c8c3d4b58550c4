"""The straight oracle: the best straight direction for each attribute that full supervision finds, as a reference."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.console import log
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method, require_vector_size
from latent_lab.methods.scores import centre, measure_deviations, score_samples
from latent_lab.ops.jacobian import attribute_jacobian
from latent_lab.paths.base import Paths
from latent_lab.paths.linear import LinearPaths


class OracleStraight(Method):
    r"""One straight direction for each attribute that changes it and leaves the others, found with full supervision.

    It starts at the shortest directions that change one attribute's regression and leave those of the others, the
    pseudo-inverse of the regression's matrix. From there it climbs the mean share of an attribute's own change,

    .. math:: \max_{\|n_k\| = 1} \mathbb{E}_z \frac{\max(0, J_k n_k)}{m + \sum_j |J_j n_k|}

    with the attributes' derivatives J at samples of the prior, in standard deviations. The share is that of the score
    selectivity to first order; the margin m holds off directions that need long edits. An amount of 1 changes the
    attribute by one standard deviation, in the mean and to first order.

    Arguments:
        attributes: Names of the dataset's attributes, a path each; None for all.
        num_samples: Samples of the prior that are scored for the regression.
        latents: Latents at which the derivatives are measured; 0: the regression's directions are the answer.
        rank: Number of principal axes of the latents that directions are made of; None for all coordinates as they are.
        margin: :math:`m`, in standard deviations for one unit of length.
        penalty: Ridge of the regression, in mean variances of a coordinate.
        steps, lr: Steps and rate of Adam.
        step: Length of a difference, see :func:`latent_lab.ops.jacobian.attribute_jacobian`.
        batch_size: Images decoded at once.
    """

    supervised = True
    reference = True

    def __init__(
        self,
        attributes: Sequence[str] | None,
        num_samples: int,
        latents: int,
        rank: int | None = None,
        margin: float = 0.1,
        penalty: float = 0.01,
        steps: int = 400,
        lr: float = 0.01,
        step: float = 0.1,
        batch_size: int = 64,
    ) -> None:
        if latents < 0 or margin < 0 or penalty <= 0:
            raise ValueError(
                "method.latents and margin must be at least 0 and penalty above 0, "
                f"got {latents}, {margin} and {penalty}"
            )
        self.attributes, self.num_samples, self.latents, self.rank = attributes, num_samples, latents, rank
        self.margin, self.penalty, self.steps, self.lr = margin, penalty, steps, lr
        self.step, self.batch_size = step, batch_size

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Score samples of the prior, and find the directions."""
        require_vector_size(space)
        attributes = context.require_attributes(self.attributes)
        context.findings["names"] = list(attributes.names)
        latents, values = score_samples(space, attributes, self.num_samples, context.rng, self.batch_size)
        deviations = measure_deviations(attributes, values)
        axes, found = principal_axes(latents, self.rank), values.isfinite().all(1)
        coordinates = latents[found] @ torch.linalg.pinv(axes).mT
        directions = regression_directions(coordinates, centre(attributes, values)[found] / deviations, self.penalty)
        if self.latents:
            codes = space.sample(self.latents, context.rng)
            jacobians = attribute_jacobian(
                space, codes, attributes, axes, step=self.step, batch_size=self.batch_size
            ).cpu()
            jacobians = jacobians[jacobians.isfinite().flatten(1).all(1)] / deviations[:, None]
            directions, shares = climb(jacobians, directions, self.margin, self.steps, self.lr)
            context.findings["share"] = dict(zip(attributes.names, shares.tolist()))
            log.info(
                f"own share of the change at {len(jacobians)} latents, to first order: "
                + ", ".join(f"{name} {share:.2f}" for name, share in context.findings["share"].items())
            )
        return LinearPaths.along(axes @ directions.mT)


def principal_axes(latents: Tensor, rank: int | None) -> Tensor:
    """Return the first principal axes of latents :math:`(N, D)` as columns :math:`(D, R)`, as long as their standard
    deviation; for no rank the unit matrix.

    Raises:
        ValueError: The samples do not vary in so many directions.
    """
    dim = latents.shape[-1]
    if rank is None:
        return torch.eye(dim)
    rows = latents.flatten(0, -2).double()
    variances, axes = torch.linalg.eigh((rows - rows.mean(0)).mT.cov())
    if not 1 <= rank <= (variances > 1e-10 * variances[-1]).sum():
        raise ValueError(f"method.rank must be from 1 to the {dim} directions in which samples vary, got {rank}")
    return (axes.flip(1)[:, :rank] * variances.flip(0)[:rank].sqrt()).float()


def regression_directions(coordinates: Tensor, values: Tensor, penalty: float) -> Tensor:
    """Return the shortest directions :math:`(K, R)` that change one value's ridge regression by 1 and the others' by 0.

    Arguments:
        coordinates: Samples, with shape :math:`(N, R)`.
        values: Their standardised attributes, with shape :math:`(N, K)`.
        penalty: Weight of the squared coefficients, in mean variances of a coordinate.
    """
    x, y = (part.double() - part.double().mean(0) for part in (coordinates, values))
    squares = x.mT @ x
    ridge = penalty * squares.diagonal().mean() * torch.eye(len(squares), dtype=squares.dtype)
    return torch.linalg.pinv(torch.linalg.solve(squares + ridge, x.mT @ y)).to(coordinates)


@torch.enable_grad()
def climb(jacobians: Tensor, directions: Tensor, margin: float, steps: int, lr: float) -> tuple[Tensor, Tensor]:
    """Return the directions :math:`(K, R)` of the largest mean own share, and these shares :math:`(K,)`.

    Each direction is as long as changes its attribute by 1 in the mean.

    Arguments:
        jacobians: Derivatives of the attributes, with shape :math:`(M, K, R)`.
        directions: Where to start, with shape :math:`(K, R)`.
        margin: Added to the sum of all changes of a unit step.
        steps, lr: Steps and rate of Adam.
    """
    free = F.normalize(directions, dim=1).clone().requires_grad_()
    optimiser = torch.optim.Adam([free], lr)

    def changes() -> Tensor:
        return torch.einsum("mar,kr->mka", jacobians, F.normalize(free, dim=1))

    def shares(change: Tensor) -> Tensor:
        own = change.diagonal(dim1=1, dim2=2).clamp_min(0)
        return (own / (margin + change.abs().sum(2)).clamp_min(1e-12)).mean(0)

    for _ in range(steps):
        optimiser.zero_grad()
        (-shares(changes()).sum()).backward()
        optimiser.step()
    with torch.no_grad():
        change = changes()
        speeds = change.diagonal(dim1=1, dim2=2).mean(0).clamp_min(1e-6)
        return F.normalize(free, dim=1) / speeds[:, None], shares(change)
