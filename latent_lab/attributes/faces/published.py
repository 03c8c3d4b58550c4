"""Predictors by which published studies of face editing are scored, for weights that the user brings.

A score is a model's guess about a picture, never a claim about a person. The files were never at hand where this was
written: names and shapes are checked, not the numbers.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from latent_lab.attributes.base import Attributes, Predictor
from latent_lab.attributes.faces.face_crops import MEAN, STD, FaceCrops
from latent_lab.attributes.user_files import expectation, load_user_file
from latent_lab.ops.ir_se50 import IRSE

RACES = {
    7: ("white", "black", "latino_hispanic", "east_asian", "southeast_asian", "indian", "middle_eastern"),
    4: ("white", "black", "asian", "indian"),
}


class FairFaceNetwork(ResNet):
    """FairFace's ResNet34: images to 7 logits of race, 2 of gender and 9 of age."""

    def __init__(self) -> None:
        super().__init__(BasicBlock, [3, 4, 6, 3], num_classes=18)


class FairFace(Attributes):
    """Age in years, and the probabilities of "female" and of each of FairFace's races.

    References:
        | FairFace: Face Attribute Dataset for Balanced Race, Gender, and Age (Karkkainen & Joo, 2021)
        | https://arxiv.org/abs/1908.04913

    Arguments:
        weights: ``res34_fair_align_multi_7_20190809.pt`` or another ResNet34 of FairFace with 18 outputs.
        races: 7, or 4 for a "4race" file, which has as many outputs and leaves three without a meaning.
        detector: Detector of faces; see :class:`FaceCrops`.
        margin: Share of the detector's box that is added on each side.
    """

    # years, of 0-2, 3-9, 10-19, ..., 60-69; the last, 70 and more, is open
    middles = (1.5, 6.5, 15.0, 25.0, 35.0, 45.0, 55.0, 65.0, 75.0)

    def __init__(self, weights: str, races: int = 7, detector: nn.Module | None = None, margin: float = 0.25) -> None:
        super().__init__()
        if races not in RACES:
            raise ValueError(f"races must be 7 or 4, got {races!r}")
        self.names = ("age", "female", *[f"race_{name}" for name in RACES[races]])
        self.units = ("years", "probability", *["probability of a class"] * races)
        self.ranges = ((self.middles[0], self.middles[-1]), *[(0.0, 1.0)] * (1 + races))
        self.races, self.crops, self.network = races, FaceCrops(224, detector, margin), FairFaceNetwork()
        load_user_file(self.network, weights)

    def forward(self, images: Tensor) -> Tensor:
        """Return attributes :math:`(N, A)` of images :math:`(N, 3, H, W)` in [-1, 1]; nan without a face."""
        crops, found = self.crops(images)
        logits = self.network(crops)
        age = expectation(logits[:, 9:18], torch.tensor(self.middles))
        female, race = logits[:, 7:9].softmax(1)[:, 1], logits[:, : self.races].softmax(1)
        return torch.cat([age[:, None], female[:, None], race], 1).where(found[:, None], torch.nan)


class HopenetNetwork(ResNet):
    """Hopenet's ResNet50 with three heads of 66 bins: images to logits :math:`(N, 3, 66)` of yaw, pitch and roll."""

    def __init__(self) -> None:
        super().__init__(Bottleneck, [3, 4, 6, 3])
        self.fc = nn.Identity()
        self.fc_yaw, self.fc_pitch, self.fc_roll = (nn.Linear(2048, 66) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits :math:`(N, 3, 66)` of crops :math:`(N, 3, S, S)`."""
        features = super().forward(x)
        return torch.stack([head(features) for head in (self.fc_yaw, self.fc_pitch, self.fc_roll)], 1)


class Hopenet(Attributes):
    r"""Yaw, pitch and roll of the head in degrees, :math:`\sum_i p_i (3 i - 99)` over 66 bins.

    References:
        | Fine-Grained Head Pose Estimation Without Keypoints (Ruiz et al., 2018)
        | https://arxiv.org/abs/1710.00925

    Arguments:
        weights: ``hopenet_alpha2.pkl`` or another of its files.
        detector: Detector of faces; see :class:`FaceCrops`.
        margin: Share of the detector's box that is added on each side.
    """

    names, units, ranges = ("yaw", "pitch", "roll"), ("degrees",) * 3, ((-99.0, 96.0),) * 3

    def __init__(self, weights: str, detector: nn.Module | None = None, margin: float = 0.0) -> None:
        super().__init__()
        self.crops, self.network = FaceCrops(224, detector, margin), HopenetNetwork()
        load_user_file(self.network, weights, unused=("fc_finetune.weight", "fc_finetune.bias"))

    def forward(self, images: Tensor) -> Tensor:
        """Return attributes :math:`(N, 3)` of images :math:`(N, 3, H, W)` in [-1, 1]; nan without a face."""
        crops, found = self.crops(images)
        degrees = 3.0 * torch.arange(66) - 99
        angles = [expectation(logits, degrees) for logits in self.network(crops).unbind(1)]
        return torch.stack(angles, 1).where(found[:, None], torch.nan)


class CelebANetwork(ResNet):
    """Talk-to-Edit's ResNet50, with a head of 6 levels for each attribute: images to logits :math:`(N, 5, 6)`."""

    heads = (
        "classifier06Bangs",
        "classifier16Eyeglasses",
        "classifier25No_Beard",
        "classifier32Smiling",
        "classifier40Young",
    )

    def __init__(self) -> None:
        super().__init__(Bottleneck, [3, 4, 6, 3])

        def dense(inner: int, outer: int) -> nn.Sequential:
            return nn.Sequential(OrderedDict(fc=nn.Linear(inner, outer), bn=nn.BatchNorm1d(outer), relu=nn.ReLU()))

        self.fc, self.stem = nn.Identity(), dense(2048, 512)
        for name in self.heads:
            self.add_module(name, nn.Sequential(dense(512, 256), nn.Linear(256, 6)))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits :math:`(N, 5, 6)` of normalised images :math:`(N, 3, H, W)`."""
        features = self.stem(super().forward(x))
        return torch.stack([self.get_submodule(name)(features) for name in self.heads], 1)


class CelebAFive(Attributes):
    """Talk-to-Edit's five attributes, each as its expected level from 0 to 5, read off the whole image.

    The levels are the file's own: as published, a higher one of ``no_beard`` is a thicker beard and of ``young`` a
    higher age. An image is normalised in one way whatever generator it comes from and whatever batch it is in.

    References:
        | Talk-to-Edit: Fine-Grained Facial Editing via Dialog (Jiang et al., 2021)
        | https://arxiv.org/abs/2109.04425

    Arguments:
        weights: ``eval_predictor.pth.tar``, ``predictor_1024.pth.tar`` or ``predictor_128.pth.tar``.
        side: Pixels that images are resized to first; None reads them at their own size.
    """

    names = ("bangs", "eyeglasses", "no_beard", "smiling", "young")
    units, ranges = ("level",) * 5, ((0.0, 5.0),) * 5

    def __init__(self, weights: str, side: int | None = None) -> None:
        super().__init__()
        self.side, self.network = side, CelebANetwork()
        load_user_file(self.network, weights)

    def forward(self, images: Tensor) -> Tensor:
        """Return attributes :math:`(N, 5)` of images :math:`(N, 3, H, W)` in [-1, 1]."""
        images = (images.float().clamp(-1, 1) + 1) / 2
        if self.side is not None:
            images = F.interpolate(images, (self.side, self.side), mode="bilinear", antialias=True)
        mean, std = (torch.tensor(values, device=images.device)[:, None, None] for values in (MEAN, STD))
        levels = torch.arange(6.0)
        return torch.stack([expectation(logits, levels) for logits in self.network((images - mean) / std).unbind(1)], 1)


class ArcFaceNetwork(IRSE):
    """IR-SE50 with ArcFace's head: crops :math:`(N, 3, 112, 112)` to embeddings :math:`(N, E)`, not yet normalised.

    Arguments:
        widths: Channels of the stages; the last is also E.
    """

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512)) -> None:
        super().__init__(widths)
        last = widths[-1]
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(last), nn.Dropout(0.4), nn.Flatten(), nn.Linear(49 * last, last), nn.BatchNorm1d(last)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings :math:`(N, E)`, not yet normalised, of crops :math:`(N, 3, 112, 112)` in [-1, 1]."""
        return self.output_layer(super().forward(images))


class ArcFaceIdentity(Predictor):
    """ArcFace's embedding, with length 1. Images are of faces aligned as in FFHQ.

    References:
        | ArcFace: Additive Angular Margin Loss for Deep Face Recognition (Deng et al., 2019)
        | https://arxiv.org/abs/1801.07698

    Arguments:
        weights: ``model_ir_se50.pth``.
    """

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.network = ArcFaceNetwork()
        load_user_file(self.network, weights)

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings :math:`(N, 512)` of images :math:`(N, 3, H, W)` in [-1, 1]."""
        return F.normalize(self.network(crop_for_arcface(images)))


def crop_for_arcface(images: Tensor) -> Tensor:
    """Resize images to 256 pixels, cut out rows 35 to 222 and columns 32 to 219, and average them to 112 pixels."""
    if images.shape[2:] != (256, 256):
        images = F.adaptive_avg_pool2d(images.float(), 256)
    return F.adaptive_avg_pool2d(images.float().clamp(-1, 1)[:, :, 35:223, 32:220], 112)
