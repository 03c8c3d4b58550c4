"""Attributes from 468 points of a face in space: where it looks, and how far its mouth is open."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.attributes.faces.colours import crop_colours, load_graph_model

# points of the mesh, in the image's left and right
SIDES = ((234, 454), (33, 263), (61, 291))  # the face's edges, outer corners of the eyes, corners of the mouth
FOREHEAD, CHIN = 10, 152
LIPS = (13, 14)  # inner edges, in the middle


class FaceGeometry(Attributes):
    r"""Yaw, pitch and the opening of the mouth. Images are of faces aligned as in FFHQ.

    With points :math:`(x, y, z)`, x to the image's right, y downwards, z away from the camera: :math:`a` is the sum of
    the vectors from left to right between the face's edges, the eyes' outer corners and the mouth's corners; :math:`b`
    goes from forehead to chin. Then

    .. math:: \text{yaw} = \operatorname{atan2}(a_z, a_x), \qquad \text{pitch} = \operatorname{atan2}(-b_z, b_y), \qquad
        \text{mouth} = \frac{\|p_\text{lower lip} - p_\text{upper lip}\|}{\|p_\text{right eye} - p_\text{left eye}\|}

    Yaw is positive for a face that turns to the image's right, pitch for one that looks up; 0 is where the line from
    forehead to chin lies in the image's plane. An image in which the network finds no face is nan.

    References:
        | FaceMesh of the npm package @vladmandic/human 3.3.6 (``make faces``)
        | Real-time facial surface geometry from monocular video on mobile GPUs (Kartynnik et al., 2019)
        | https://arxiv.org/abs/1907.06724

    Arguments:
        presence: Smallest probability of a face at which it is measured.
    """

    names = ("yaw", "pitch", "mouth")
    units = ("degrees", "degrees", "distance of the eyes")
    ranges = ((-180.0, 180.0), (-180.0, 180.0), (0.0, float("inf")))
    periods = (360.0, 360.0, 0.0)

    def __init__(self, presence: float = 0.5) -> None:
        super().__init__()
        if not 0 <= presence <= 1:
            raise ValueError(f"presence must be a probability from 0 to 1, got {presence}")
        self.model, self.presence = load_graph_model("facemesh", ["Identity_1", "Identity_2"]), presence

    def find_points(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of a face :math:`(N,)` and points :math:`(N, 468, 3)` in pixels of the crop, which has
        192."""
        presence, points = self.model(crop_colours(images, 192))
        return presence[:, 0], points.unflatten(1, (468, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Return attributes :math:`(N, 3)` of images :math:`(N, 3, H, W)` in [-1, 1]."""
        presence, points = self.find_points(images)
        values = measure_geometry(points)
        return values.where(presence[:, None] >= self.presence, torch.full_like(values, float("nan")))


def measure_geometry(points: Tensor) -> Tensor:
    """Return yaw, pitch and opening of the mouth, :math:`(N, 3)`, of points :math:`(N, 468, 3)`."""
    across = sum(points[:, right] - points[:, left] for left, right in SIDES)
    down = points[:, CHIN] - points[:, FOREHEAD]
    gap = torch.linalg.vector_norm(points[:, LIPS[1]] - points[:, LIPS[0]], dim=1)
    eyes = torch.linalg.vector_norm(points[:, SIDES[1][1]] - points[:, SIDES[1][0]], dim=1)
    angles = [torch.atan2(across[:, 2], across[:, 0]), torch.atan2(-down[:, 2], down[:, 1])]
    return torch.stack([*map(torch.rad2deg, angles), gap / eyes.clamp_min(1e-3)], 1)
