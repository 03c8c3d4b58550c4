"""Regions of the image that an edit shall change, and metrics of the change inside and outside of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.ops.jacobian import leading_directions, metric_product
from latent_lab.picture_files import DAMAGED, FILES, describe_error, open_picture, silence_pillow

if TYPE_CHECKING:
    from latent_lab.gans.codes import Codes
    from latent_lab.gans.space import LatentSpace


def box_mask(box: Sequence[float], height: int, width: int, argument: str = "method.region") -> Tensor:
    """Return the share of each pixel that a box covers, with shape :math:`(H, W)`.

    Arguments:
        box: Top, left, bottom and right in shares of the image, from 0 to 1.
        height, width: Pixels of the image.
        argument: Name for error messages.

    Example:
        >>> box_mask([0, 0, 1, 0.25], 2, 2)
        tensor([[0.5000, 0.0000],
                [0.5000, 0.0000]])
    """
    box = list(box)
    if len(box) != 4 or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
        raise ValueError(
            f"{argument} must be [top, left, bottom, right] with 0 <= top < bottom <= 1 and 0 <= left < right <= 1, "
            f"got {box}"
        )

    def covered(first: float, last: float, num: int) -> Tensor:
        pixels = torch.arange(num, dtype=torch.float64)
        return ((pixels + 1).clamp_max(last * num) - pixels.clamp_min(first * num)).clamp_min(0)

    return torch.outer(covered(box[0], box[2], height), covered(box[1], box[3], width)).float()


def file_mask(file: str | Path, height: int, width: int, argument: str = "method.region") -> Tensor:
    """Read a picture's brightness as a mask in [0, 1], with shape :math:`(H, W)`; it is resized where its aspect ratio
    is that of the images.

    Arguments:
        file: The picture.
        height, width: Pixels of the images.
        argument: Name for error messages.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, or has another aspect ratio.
    """
    if not Path(file).is_file():
        raise FileNotFoundError(
            f"{argument} must be a box, a picture's file or a predictor, got {str(file)!r}, which does not exist"
        )
    try:
        with silence_pillow(), open_picture(file, FILES.values()) as picture:
            mask = torch.from_numpy(np.array(picture.convert("L")))[None, None].float() / 255
    except DAMAGED as error:
        raise ValueError(
            f"{argument} must be a picture that can be read, got {str(file)!r} ({describe_error(error)})"
        ) from None
    if abs(mask.shape[2] * width - mask.shape[3] * height) > max(width, height):  # within a pixel
        raise ValueError(
            f"{argument} must have the shape of the images, {height} x {width}, "
            f"got {mask.shape[2]} x {mask.shape[3]} in {file}"
        )
    return F.interpolate(mask, (height, width), mode="bilinear", antialias=True)[0, 0]


@torch.no_grad()
def region_masks(region: Sequence[float] | str | nn.Module, space: LatentSpace, codes: Codes) -> Tensor:
    """Return the weight of each pixel in the region and outside it, with shape :math:`(N, 2, H, W)`; they sum to 1.

    Arguments:
        region: A box (:func:`box_mask`), a picture's file, or a predictor of masks :math:`(N, 1, H, W)` in [0, 1] from
            images.
        space, codes: Codes of the images, and their space.

    Raises:
        ValueError: if the region is empty or the whole image.
    """
    size = space.generator.resolution
    if isinstance(region, nn.Module):
        masks = torch.cat([region(space.decode(codes.select(slice(n, n + 1))).float()) for n in range(len(codes))])[
            :, 0
        ]
    else:
        mask = file_mask(region, size, size) if isinstance(region, str | Path) else box_mask(region, size, size)
        masks = mask.to(space.device).expand(len(codes), -1, -1)
    for part, name in (
        (masks, "holds no pixel"),
        (1 - masks, "is the whole image, which leaves nothing to keep still"),
    ):
        if part.sum() < 0.5:
            raise ValueError(
                f"method.region {name} in {len(codes)} samples of {size} x {size}; "
                "give a region that is a part of the image"
            )
    return torch.stack([masks, 1 - masks], 1)


def region_metrics(
    space: LatentSpace,
    codes: Codes,
    masks: Tensor,
    rows: Sequence[int] | None,
    rank: int | None,
    rng: torch.Generator,
    chunk: int,
) -> tuple[Tensor, Tensor]:
    r"""Return a basis Q :math:`(M, D)` of latent directions, and the metrics of the region f and of its background b in
    it, :math:`Q J_f^\top J_f Q^\top, Q J_b^\top J_b Q^\top`, with shape :math:`(2, M, M)`.

    Squared changes are per pixel of the region and of the background.

    Arguments:
        space, codes: Codes at which the metrics are measured, and their space.
        masks: Weights of the pixels, as :func:`region_masks` returns them.
        rows: Rows of w+ that move; None for all, or where latents are vectors.
        rank: Number M of directions in which the whole image changes most
            (:func:`latent_lab.ops.jacobian.leading_directions`), so that the other products are spared; None for all D.
        rng: Source of the random numbers.
        chunk: Products made at once.
    """
    dim = space.shape[-1]
    if rank is None:
        basis = torch.eye(dim, dtype=torch.float64, device=codes.latents.device)
    else:
        basis = leading_directions(space, codes, min(rank, dim), rng, rows, chunk)
    metrics = metric_product(space, codes, basis, masks, rows, chunk) @ basis.mT
    pixels = masks.double().mean(0).sum((1, 2)) * space.generator.channels
    return basis, (metrics + metrics.mT) / (2 * pixels[:, None, None])
