"""ReSeFa: directions that change a region and keep the rest."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.methods.regional import Regional


def generalised_directions(foreground: Tensor, background: Tensor, tau: float) -> Tensor:
    r"""Unit vectors :math:`(M, M)`, a column each, with :math:`A n = \lambda (B + \tau \tfrac{\operatorname{tr} B}{M} I) n`, largest :math:`\lambda` first.

    By a Cholesky factor L of the right-hand matrix, :math:`L^{-1} A L^{-\top} y = \lambda y,\ n = L^{-\top} y`: symmetric,
    unlike the published inverse, so that the eigenvalues are real and sorted.
    """
    mean = background.diagonal().mean()
    regularised = background + tau * mean * torch.eye(len(background), dtype=background.dtype, device=background.device)
    spectrum = torch.linalg.eigvalsh(regularised)
    if not spectrum[0] > 1e-9 * spectrum[-1]:
        reason = "nothing changes outside the region" if not mean > 0 else "some directions do not change what is outside the region"
        raise ValueError(f"method.tau must be above 0 where {reason} (J_b^T J_b is singular), and that must change at all; got tau={tau}")
    factor = torch.linalg.cholesky(regularised)
    half = torch.linalg.solve_triangular(factor, foreground, upper=False)
    whole = torch.linalg.solve_triangular(factor, half.mT, upper=False)
    vectors = torch.linalg.eigh((whole + whole.mT) / 2).eigenvectors.flip(1)
    return torch.nn.functional.normalize(torch.linalg.solve_triangular(factor.mT, vectors, upper=True), dim=0)


class ReSeFa(Regional):
    r"""Region-based semantic factorisation.

    .. math:: \max_n \frac{n^\top J_f^\top J_f\, n}{n^\top (J_b^\top J_b + \tau\, \overline{\lambda}_b I)\, n}

    :math:`J_f` and :math:`J_b` are the rows of the image's Jacobian within the region and outside it,
    :math:`\overline{\lambda}_b` is the mean eigenvalue of :math:`J_b^\top J_b`. An amount of 1 is a
    length of 1 in the latent (in w+ in each edited row).

    References:
        | Region-Based Semantic Factorization in GANs (Zhu et al., 2022), Eq. 5-7
        | https://arxiv.org/abs/2202.09649

    Arguments:
        tau: Regulariser, in mean eigenvalues of the background's metric. The published code adds 1e-3 of its trace with
            ``--full_rank``, which is 0.5 at D = 512, and else nothing.
        options: See :class:`latent_lab.methods.regional.Regional`.
    """

    def __init__(self, tau: float, **options) -> None:
        super().__init__(**options)
        if tau < 0:
            raise ValueError(f"method.tau must be at least 0, got {tau}")
        self.tau = tau

    def directions(self, foreground: Tensor, background: Tensor) -> Tensor:
        return generalised_directions(foreground, background, self.tau)
