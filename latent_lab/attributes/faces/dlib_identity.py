"""dlib's network that recognises faces: the best judge of who a face is, but without gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.attributes.base import Predictor
from latent_lab.attributes.faces.colours import crop_colours
from latent_lab.checkpoints.face_packages import dlib_file

SIDE = 400  # pixels at which a face is looked for: at 256 one of 32 was missed


class DlibIdentity(Predictor):
    """dlib's embedding of the largest face of an image; nan if none is found.

    It runs on the CPU, one image at a time, and has no gradient.

    References:
        | dlib_face_recognition_resnet_model_v1 of the pip package face_recognition_models 0.3.0, run by dlib-bin
          20.0.1.post1 (``make faces``)
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            import dlib
        except ImportError:
            raise FileNotFoundError("dlib-bin is not installed; run make faces") from None
        self.detector = dlib.get_frontal_face_detector()
        self.landmarks = dlib.shape_predictor(str(dlib_file("shape_predictor_5_face_landmarks.dat")))
        self.recogniser = dlib.face_recognition_model_v1(str(dlib_file("dlib_face_recognition_resnet_model_v1.dat")))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings :math:`(N, 128)` of images :math:`(N, 3, H, W)` in [-1, 1]."""
        pixels = (255 * crop_colours(images, SIDE, crop=None)).round().to(torch.uint8).cpu().numpy()
        embeddings = []
        for image in pixels:
            found = max(self.detector(image, 0), key=lambda face: face.area(), default=None)
            known = (
                self.recogniser.compute_face_descriptor(image, self.landmarks(image, found))
                if found
                else [float("nan")] * 128
            )
            embeddings.append(torch.tensor(list(known)))
        return torch.stack(embeddings).to(images.device)
