"""How much of the original an edit still shows where it should not."""

from __future__ import annotations

import math

import latent_lab.cpu_torchvision  # noqa: F401  (before torchmetrics)

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric


def high_pass(images: Tensor, sigma: float) -> Tensor:
    """Images :math:`(N, C, H, W)` less their Gaussian blur; ``sigma`` in pixels, borders mirrored."""
    radius = max(1, math.ceil(3 * sigma))
    if radius >= min(images.shape[2:]):
        raise ValueError(f"sigma must be below a third of the image's side {min(images.shape[2:])}, got {sigma}")
    offsets = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (offsets / sigma).square())
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, 1, -1)
    blurred = F.pad(images, (radius,) * 4, mode="reflect")
    blurred = F.conv2d(blurred, kernel, groups=images.shape[1])
    return images - F.conv2d(blurred, kernel.mT, groups=images.shape[1])


def ghosting_error(
    edited: Tensor, plain: Tensor, distortion: Tensor, region: Tensor, sigma: float | None = None
) -> Tensor:
    r"""The share of the unaligned distortion that an edit shows, with shape :math:`(N,)`.

    .. math:: \frac{\langle h(x_{\text{edit}} - x_{\text{plain}}), h(D) \rangle_B}{\langle h(D), h(D) \rangle_B}

    the coefficient of a regression on D within B: 0 where nothing of it is seen, 1 where it was added as it was. nan
    where B or D is empty.

    Arguments:
        edited: Corrected edits, with shape :math:`(N, C, H, W)` in [-1, 1].
        plain: The same edits without the correction.
        distortion: What the inversion had lost, D: the original less its inversion, not aligned.
        region: B, the pixels that show the person in the original and the background in the edit, :math:`(N, 1, H, W)`.
        sigma: Of the high-pass filter h, in pixels; None for a 64th of the side.
    """
    sigma = edited.shape[-1] / 64 if sigma is None else sigma
    seen, lost = high_pass(edited - plain, sigma), high_pass(distortion, sigma)
    return (seen * lost * region).sum((1, 2, 3)) / (lost.square() * region).sum((1, 2, 3))


class GhostingError(Metric):
    """Mean :func:`ghosting_error` of edits, from masks of the person; edits that uncover no background do not count.

    Arguments:
        sigma: As in :func:`ghosting_error`.
        threshold: From which probability a pixel shows the person.
    """

    higher_is_better = False
    full_state_update = False

    def __init__(self, sigma: float | None = None, threshold: float = 0.5, **kwargs) -> None:
        super().__init__(**kwargs)
        self.sigma, self.threshold = sigma, threshold
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(
        self, edited: Tensor, plain: Tensor, original: Tensor, inverted: Tensor, before: Tensor, after: Tensor
    ) -> None:
        """Takes images :math:`(N, C, H, W)` in [-1, 1] and the masks of the original's and the edit's person,
        :math:`(N, 1, H, W)`."""
        region = ((before >= self.threshold) & (after < self.threshold)).to(edited.dtype)
        errors = ghosting_error(edited, plain, original - inverted, region, self.sigma)
        measured = errors.isfinite()
        self.total += errors[measured].double().sum()
        self.count += measured.sum()

    def compute(self) -> Tensor:
        return self.total / self.count
