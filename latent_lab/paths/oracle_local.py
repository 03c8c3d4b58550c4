"""The local oracle: at each image the direction that changes one attribute and leaves the others, as measured there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.ops.jacobian import attribute_jacobian
from latent_lab.paths.local import LocalPaths

if TYPE_CHECKING:
    from latent_lab.attributes.base import Attributes


def ridge_inverse(jacobians: Tensor, tau: float) -> Tensor:
    r"""Return the regularised pseudo-inverses of matrices :math:`(\dots, A, R)`, with shape :math:`(\dots, R, A)`.

    .. math:: J^\top \left(J J^\top + \tau\, \frac{\operatorname{tr} J J^\top}{A} I\right)^{-1}

    Arguments:
        jacobians: The matrices J.
        tau: Regulariser in mean eigenvalues of :math:`J J^\top`, above 0. A matrix of zeros has the inverse 0.

    Example:
        >>> ridge_inverse(torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), 1e-6)
        tensor([[0.5000, 0.0000],
                [0.0000, 0.5000],
                [0.0000, 0.0000]])
    """
    exact = jacobians.double()
    squares = exact @ exact.mT
    mean = squares.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None].clamp_min(1e-300)
    unit = torch.eye(squares.shape[-1], dtype=squares.dtype, device=squares.device)
    return torch.linalg.solve(squares + tau * mean * unit, exact).mT.to(jacobians)


class OracleLocalPaths(LocalPaths):
    r"""Straight paths along directions that are measured where an edit starts, one path for each attribute.

    .. math:: z' = z + \varepsilon\, P (J(z_0) P)^+ e_k, \qquad J_{ad} = \frac{1}{s_a} \frac{\partial a}{\partial z_d}

    with the axes P, the deviations s and the pseudo-inverse of :func:`ridge_inverse`. An amount of 1 is one standard
    deviation of the attribute, to first order: a reference, and no bound on what a finite edit can do.

    They read a predictor at each image, which no file holds: :meth:`bind` gives it, as loading a run and scoring do.

    Arguments:
        dim: Size D of a latent.
        num_paths: Number K of paths.
        names: Names of the attributes, K of them.
        layers: Rows of w+ that are edited; None where latents are vectors.
        rank: Number R of axes that directions are made of; None for D.
        tau: Regulariser, see :func:`ridge_inverse`.
        step: Length of a difference, see :func:`attribute_jacobian`.
    """

    axes: Tensor
    deviations: Tensor

    def __init__(
        self,
        dim: int,
        num_paths: int,
        names: Sequence[str],
        layers: Sequence[int] | None = None,
        rank: int | None = None,
        tau: float = 0.03,
        step: float = 0.1,
    ) -> None:
        super().__init__(dim, num_paths, layers)
        if len(names) != num_paths or not tau > 0 or not step > 0:
            raise ValueError(f"names must be {num_paths}, tau and step above 0, got {len(names)}, {tau} and {step}")
        if rank is not None and not num_paths <= rank <= dim:
            raise ValueError(f"rank must be from num_paths={num_paths} to {dim}, got {rank}")
        self.names, self.tau, self.step = list(names), tau, step
        self.register_buffer("axes", torch.eye(dim, rank or dim))
        self.register_buffer("deviations", torch.ones(num_paths))
        self.attributes: tuple[Attributes, ...] = ()  # in a tuple, which is no part of the paths and of their file

    def bind(self, attributes: Attributes | None) -> None:
        """Take the predictor that measures the attributes; one that lacks some of them is not taken."""
        if attributes is not None and set(self.names) <= set(attributes.names):
            self.attributes = (attributes,)

    def anchor(self, space: LatentSpace, codes: Codes) -> Codes:
        """Return the codes with the directions at each of them.

        Raises:
            ValueError: No predictor of the attributes was given.
        """
        if not self.attributes:
            raise ValueError(f"method=oracle_local: measures {self.names} at each image; call paths.bind(attributes)")
        found = [self.directions(space, codes.select(slice(n, n + 1))) for n in range(len(codes))]
        return codes.with_given(directions=torch.stack(found).mT.to(codes.latents))

    def directions(self, space: LatentSpace, codes: Codes) -> Tensor:
        """Return the directions at one code as columns :math:`(D, K)`; an attribute that was not found has 0."""
        (attributes,) = self.attributes
        found = attribute_jacobian(space, codes, attributes, self.axes, self.layers, self.step)[0]
        found = found[[attributes.names.index(name) for name in self.names]] / self.deviations[:, None].to(found)
        return self.axes.to(found) @ ridge_inverse(found.nan_to_num(0, 0, 0), self.tau)
