"""The distance of a reconstruction from its picture."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torchmetrics.functional.image import structural_similarity_index_measure

from latent_lab.metrics.identity import identity_error
from latent_lab.ops.psnr import psnr


@torch.no_grad()
def reconstruction_scores(
    made: Tensor, images: Tensor, perceptual: nn.Module | None, identity: nn.Module | None
) -> list[dict[str, float]]:
    """PSNR in dB, SSIM, the mean squared error, LPIPS and :math:`1 - \\cos` of the identities, as far as there are
    networks.

    Arguments:
        made: Reconstructions :math:`(N, C, H, W)`, clamped to [-1, 1] here.
        images: The pictures in [-1, 1].
        perceptual: The distance of pairs of images.
        identity: The embedding of who is shown.
    """
    made = made.clamp(-1, 1)
    scores = {"psnr": psnr(made, images), "mse": (made - images).square().mean((1, 2, 3))}
    if min(images.shape[2:]) >= 11:  # the side of SSIM's window
        similarity = structural_similarity_index_measure(made, images, data_range=2.0, reduction="none")
        scores["ssim"] = cast(Tensor, similarity).reshape(-1)  # it is a tuple only where its map is asked for
    if perceptual is not None:
        scores["lpips"] = perceptual(made, images)
    if identity is not None:
        scores["identity_error"] = identity_error(identity(images), identity(made))
    return [
        {name: values[i].item() for name, values in scores.items() if values[i].isfinite()} for i in range(len(images))
    ]
