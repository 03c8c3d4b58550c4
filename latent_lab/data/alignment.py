"""The crop of a face as in FFHQ: turned upright by its eyes and mouth, and brought to one scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from latent_lab.attributes.faces.landmarks import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE

CHOICES = ("one", "largest")


def choose_face(faces: Sequence[np.ndarray], choice: str | int) -> np.ndarray:
    """Return one of the faces of a picture.

    Arguments:
        faces: The points (68, 2) of each face, from left to right.
        choice: ``one`` (there must be no other), ``largest``, or a number from 1, from the left.

    Raises:
        ValueError: There is no face, no such face, or with ``one`` more than one.
    """
    number = int(choice) if str(choice).isdecimal() else None
    if choice not in CHOICES and (number is None or number < 1):
        raise ValueError(f"faces must be one of {CHOICES} or a number from 1, got {choice!r}")
    if not faces:
        raise ValueError("no face was found; give a picture with a face, or align=none")
    if number is not None:
        if number > len(faces):
            raise ValueError(f"faces={number}, but it has {len(faces)}")
        return faces[number - 1]
    if choice == "one" and len(faces) > 1:
        raise ValueError(
            f"{len(faces)} faces were found; choose with faces=largest, or faces=1 to {len(faces)} from the left"
        )
    return max(faces, key=lambda points: np.ptp(points, 0).prod())


def find_ffhq_square(points: np.ndarray) -> np.ndarray:
    r"""Return the corners (4, 2) of FFHQ's crop in pixels of the photograph: upper left, lower left, lower right, upper
    right.

    With e from the left to the right eye and m from the middle of the eyes to that of the mouth, the crop's horizontal
    half is :math:`x = (e - m^\perp)` of length :math:`\max(2 |e|, 1.8 |m|)`, its vertical half is perpendicular to it,
    and its centre lies :math:`0.1 m` below the eyes.

    References:
        | Progressive Growing of GANs for Improved Quality, Stability, and Variation (Karras et al., 2018), Appendix C
        | https://arxiv.org/abs/1710.10196

    Arguments:
        points: The 68 points of a face.
    """
    left, right, mouth = points[LEFT_EYE].mean(0), points[RIGHT_EYE].mean(0), points[MOUTH_CORNERS].mean(0)
    eyes = (left + right) / 2
    e, m = right - left, mouth - eyes
    x = e + np.array([m[1], -m[0]])
    x *= max(2 * np.hypot(*e), 1.8 * np.hypot(*m)) / np.hypot(*x)
    y, centre = np.array([-x[1], x[0]]), eyes + 0.1 * m
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def cut_square(image: Image.Image, corners: np.ndarray, resolution: int) -> Image.Image:
    """Cut a turned square out of a picture, antialiased. What lies outside of the picture is filled with its
    reflection.

    Arguments:
        image: The picture in RGB.
        corners: Corners of the square (4, 2), as :func:`find_ffhq_square` gives them: whole numbers are the middles of
            pixels.
        resolution: Side of the result in pixels.

    Raises:
        ValueError: The square lies outside of the picture.
    """
    corners = corners + 0.5
    side = np.hypot(*(corners[3] - corners[0]))
    shrink = max(1, int(side / resolution / 2))  # so that what is resampled is at most twice too large
    if shrink > 1:
        size = [max(1, round(length / shrink)) for length in image.size]
        corners = corners * (np.array(size) / image.size)
        image = image.resize(size, Image.Resampling.LANCZOS)
    width, height = image.size
    low, high = np.floor(corners.min(0)).astype(int) - 3, np.ceil(corners.max(0)).astype(int) + 3
    inside = image.crop((*np.maximum(low, 0).tolist(), *np.minimum(high, (width, height)).tolist()))
    if min(inside.size) < 2:
        raise ValueError("its face lies outside of the picture")
    (left, top), (right, bottom) = np.maximum(-low, 0), np.maximum(high - (width, height), 0)
    pixels = np.pad(np.asarray(inside), ((top, bottom), (left, right), (0, 0)), mode="reflect")
    quad = (corners - low).ravel().tolist()
    large = 2 * resolution
    turned = Image.fromarray(pixels).transform((large, large), Image.Transform.QUAD, quad, Image.Resampling.BILINEAR)
    return turned.resize((resolution, resolution), Image.Resampling.LANCZOS)
