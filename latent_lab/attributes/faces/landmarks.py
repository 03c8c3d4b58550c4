"""Landmarks of the faces in a photograph, among them eyes and mouths."""

from __future__ import annotations

import numpy as np
from PIL import Image

from latent_lab.checkpoints.face_packages import dlib_file

# of the 68 points, left and right in the image
LEFT_EYE, RIGHT_EYE, MOUTH_CORNERS = slice(36, 42), slice(42, 48), [48, 54]


class DlibLandmarks:
    """dlib's 68 points of each face of a photograph, on the CPU.

    References:
        | shape_predictor_68_face_landmarks of the pip package face_recognition_models 0.3.0, run by dlib-bin
          20.0.1.post1 (``make faces``)
        | One Millisecond Face Alignment with an Ensemble of Regression Trees (Kazemi & Sullivan, 2014)

    Arguments:
        side: Pixels of the longer side at which faces are looked for; points are placed in the photograph itself.
    """

    def __init__(self, side: int = 800) -> None:
        try:
            import dlib
        except ImportError:
            raise FileNotFoundError(
                "align=ffhq needs dlib-bin, which is not installed; run make faces, or give align=none"
            ) from None
        self.side, self.rectangle, self.find = side, dlib.rectangle, dlib.get_frontal_face_detector()
        self.place = dlib.shape_predictor(str(dlib_file("shape_predictor_68_face_landmarks.dat")))

    def __call__(self, image: Image.Image) -> list[np.ndarray]:
        """Points (68, 2), x and y in pixels, of each face of a picture in RGB, from left to right."""
        pixels, scale = np.asarray(image), min(1.0, self.side / max(image.size))
        small = (
            image.resize([max(1, round(scale * side)) for side in image.size], Image.Resampling.LANCZOS)
            if scale < 1
            else image
        )
        # enlarged only where nothing was found: that finds smaller faces, and faces where there are none
        faces = self.find(np.asarray(small), 0) or self.find(np.asarray(small), 1)
        found = []
        for face in sorted(faces, key=lambda face: face.left()):
            box = self.rectangle(
                *(round(edge / scale) for edge in (face.left(), face.top(), face.right(), face.bottom()))
            )
            found.append(np.array([(point.x, point.y) for point in self.place(pixels, box).parts()], float))
        return found
