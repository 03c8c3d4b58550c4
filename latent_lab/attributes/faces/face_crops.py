"""Crops of the faces in images. An image without a face has no score."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# top, bottom, left, right of the face in an image that is aligned as FFHQ's
ALIGNED = (80 / 512, 470 / 512, 61 / 512, 451 / 512)
# of ImageNet's colours in [0, 1], which the predictors were trained with
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FaceCrops(nn.Module):
    """A module that crops the face in each image and normalises it as ImageNet's.

    Rows are rows and columns are columns, and a margin grows the box about its centre (the published evaluations crop
    the transposed box, and scale its coordinates instead of its size).

    Arguments:
        size: Side S of a crop in pixels.
        detector: Maps images to boxes :math:`(N, 4)`, top, bottom, left and right in pixels, nan where it finds no
            face; None: every image is a face that is aligned as FFHQ's, so that none can be missing.
        margin: Share of the detector's box that is added on each of its sides.
    """

    def __init__(self, size: int = 224, detector: nn.Module | None = None, margin: float = 0.0) -> None:
        super().__init__()
        self.size, self.detector, self.margin = size, detector, margin

    def find_boxes(self, images: Tensor) -> Tensor:
        """Return boxes :math:`(N, 4)`, top, bottom, left and right in pixels; nan without a face."""
        height, width = images.shape[2:]
        if self.detector is None:
            return torch.tensor(ALIGNED).mul(torch.tensor([height, height, width, width])).expand(len(images), 4)
        boxes = self.detector(images).cpu()
        grown = self.margin * torch.stack([boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]], 1)
        return boxes + grown.repeat_interleave(2, 1) * torch.tensor([-1.0, 1.0, -1.0, 1.0])

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return crops :math:`(N, 3, S, S)`, normalised as ImageNet's, of images :math:`(N, 3, H, W)` in [-1, 1].

        The second tensor :math:`(N,)` tells in which images a face was found. The others are not cropped.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must be (N, 3, H, W) for face predictors, got {tuple(images.shape)}")
        height, width = images.shape[2:]
        images, boxes, crops = (images.float().clamp(-1, 1) + 1) / 2, self.find_boxes(images), []
        found = boxes.isfinite().all(1)
        limits = torch.tensor([height, height, width, width])
        corners = boxes.nan_to_num(0).round().long().clamp_min(0).minimum(limits)
        found &= (corners[:, 1] > corners[:, 0]) & (corners[:, 3] > corners[:, 2])
        for image, here, (top, bottom, left, right) in zip(images, found.tolist(), corners.tolist()):
            part = image[:, top:bottom, left:right] if here else image
            crops.append(F.interpolate(part[None], (self.size, self.size), mode="bilinear", antialias=True))
        mean, std = (torch.tensor(values, device=images.device)[:, None, None] for values in (MEAN, STD))
        return (torch.cat(crops) - mean) / std, found.to(images.device)


class DlibFaces(nn.Module):
    """dlib's frontal detector (pip package dlib-bin), which finds the largest face. It runs on the CPU, one image at a
    time.

    Arguments:
        side: Pixels of the longer side at which a face is looked for.
    """

    def __init__(self, side: int = 256) -> None:
        super().__init__()
        try:
            import dlib
        except ImportError:
            raise FileNotFoundError(
                "DlibFaces: dlib is not installed; run pip install dlib-bin, or leave detector=null for aligned faces"
            ) from None
        self.side, self.find = side, dlib.get_frontal_face_detector()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return boxes :math:`(N, 4)`, top, bottom, left and right in pixels, of images :math:`(N, 3, H, W)` in [-1,
        1]; nan without a face."""
        scale = self.side / max(images.shape[2:])
        size = tuple(max(1, round(scale * side)) for side in images.shape[2:])
        small = F.interpolate(images.float().clamp(-1, 1), size, mode="bilinear", antialias=True)
        pixels = ((small + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        faces = [max(self.find(image, 0), key=lambda face: face.area(), default=None) for image in pixels]
        nowhere = (float("nan"),) * 4
        return (
            torch.tensor([(f.top(), f.bottom() + 1, f.left(), f.right() + 1) if f else nowhere for f in faces]) / scale
        )
