"""The share of the original that an edit still shows where it should not."""

from __future__ import annotations

from torch import Tensor

from latent_lab.ops.blur import gaussian_blur


def high_pass(images: Tensor, sigma: float) -> Tensor:
    """Images :math:`(N, C, H, W)` less their Gaussian blur; ``sigma`` in pixels, borders mirrored."""
    return images - gaussian_blur(images, sigma, "reflect")


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
        distortion: The loss of the inversion, D: the original less its inversion, not aligned.
        region: B, the pixels that show the person in the original and the background in the edit, :math:`(N, 1, H, W)`.
        sigma: Standard deviation of the high-pass filter h, in pixels; None for a 64th of the side.
    """
    sigma = edited.shape[-1] / 64 if sigma is None else sigma
    seen, lost = high_pass(edited - plain, sigma), high_pass(distortion, sigma)
    return (seen * lost * region).sum((1, 2, 3)) / (lost.square() * region).sum((1, 2, 3))
