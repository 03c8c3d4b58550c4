"""Predictors of faces: their geometry always, the published networks where ``make faces`` has put them, on a drawn
face."""

from __future__ import annotations

import importlib.util
import math
import sys

import pytest
import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from omegaconf import OmegaConf

from latent_lab.attributes.base import Selection
from latent_lab.attributes.faces.colours import crop_colours
from latent_lab.attributes.faces.dlib_identity import DlibIdentity
from latent_lab.attributes.faces.emotion import Smile
from latent_lab.attributes.faces.face_crops import ALIGNED
from latent_lab.attributes.faces.facemesh import CHIN, FOREHEAD, LIPS, SIDES, FaceGeometry, measure_geometry
from latent_lab.attributes.faces.faceres import FaceRes, FaceResIdentity
from latent_lab.attributes.faces.mobileface import MobileFaceIdentity
from latent_lab.attributes.faces.selfie import PersonMask
from latent_lab.attributes.faces.ssrnet import SSRNetGender
from latent_lab.checkpoints.face_packages import NPM, folder
from latent_lab.installation import CONF

HERE = all((folder() / name).is_file() for files in NPM.values() for name in files)
faces = [
    pytest.mark.faces,
    pytest.mark.skipif(not HERE, reason="the predictors of faces are not installed: make faces"),
]
DLIB = all(importlib.util.find_spec(name) for name in ("dlib", "face_recognition_models"))
dlib = [
    pytest.mark.faces,
    pytest.mark.skipif(not DLIB, reason="dlib-bin or face_recognition_models is not installed: make faces"),
]
NETWORKS = [FaceRes, Smile, FaceGeometry, SSRNetGender, FaceResIdentity, MobileFaceIdentity]


def marked(*cases, marks=faces):
    return [pytest.param(case, marks=marks, id=case.__name__) for case in cases]


def drawn_face(
    turn: float = 0.0, gap: float = 0.0, smile: float = 0.0, dark: bool = False, side: int = 256
) -> torch.Tensor:
    """A face of a few ellipses as FFHQ's are aligned, with shape (1, 3, side, side): turned to the image's right, mouth
    open, smiling."""
    ticks = (torch.arange(side) + 0.5) / side - 0.5
    rows, columns = torch.meshgrid(ticks, ticks, indexing="ij")
    image = torch.tensor([-0.2, 0.1, 0.4])[:, None, None].repeat(1, side, side)

    def paint(mask, *colour):
        nonlocal image
        image = image * (1 - mask) + torch.tensor(colour)[:, None, None] * mask

    def ellipse(x, y, a, b, blur=0.2):
        return torch.sigmoid((1 - ((columns - x) / a).square() - ((rows - y) / b).square()) / blur)

    paint(ellipse(0, 0.02, 0.29, 0.39, 0.06), -0.7, -0.8, -0.85)
    skin = (0.1, -0.2, -0.35) if dark else (0.75, 0.45, 0.25)
    paint(ellipse(0, 0.05, 0.24, 0.33, 0.06), *skin)
    for s in (-0.1, 0.1):
        paint(ellipse(turn + s, -0.02, 0.045, 0.022), 0.9, 0.9, 0.9)
        paint(ellipse(turn + s, -0.02, 0.02, 0.02), -0.8, -0.8, -0.8)
        paint(ellipse(turn + s, -0.08, 0.06, 0.012), -0.6, -0.7, -0.8)
        paint(ellipse(1.3 * turn + s / 4, 0.1, 0.014, 0.01), -0.2, -0.5, -0.6)
    paint(ellipse(1.4 * turn, 0.06, 0.015, 0.08, 0.8), *(value + 0.15 for value in skin))
    across = (columns - turn) / 0.1
    middle, opening = 0.2 + smile * (0.5 - across.square()), gap / 2 * (1 - across.square()).clamp_min(0)
    for width, colour in (
        (opening + 0.014, (0.35, -0.35, -0.35)),
        (opening, (0.9, 0.9, 0.85) if smile else (-0.7, -0.9, -0.9)),
    ):
        paint(
            torch.sigmoid((width - (rows - middle).abs()) / 0.004)
            * torch.sigmoid((1 - across.abs()) / 0.06)
            * (width.max() > 0),
            *colour,
        )
    return image[None].clamp(-1, 1)


def mesh() -> torch.Tensor:
    """The points that geometry reads, of a face that looks straight ahead, with shape (1, 468, 3)."""
    points = torch.zeros(1, 468, 3, dtype=torch.float64)
    for (left, right), (half, y, z) in zip(SIDES, ((70, 0, 20), (45, -30, -5), (25, 40, -15))):
        points[0, left], points[0, right] = torch.tensor([-half, y, z]), torch.tensor([half, y, z])
    points[0, FOREHEAD], points[0, CHIN] = torch.tensor([0, -90, 0]), torch.tensor([0, 90, 0])
    points[0, LIPS[0]], points[0, LIPS[1]] = torch.tensor([0, 35, -20]), torch.tensor([0, 44, -20])
    return points + 96


def turned(points: torch.Tensor, yaw: float = 0.0, pitch: float = 0.0) -> torch.Tensor:
    """To the image's right, then up, in degrees; z is away from the camera."""
    y, p = math.radians(yaw), math.radians(pitch)
    right = torch.tensor([[math.cos(y), 0, -math.sin(y)], [0, 1, 0], [math.sin(y), 0, math.cos(y)]], dtype=points.dtype)
    up = torch.tensor([[1, 0, 0], [0, math.cos(p), math.sin(p)], [0, -math.sin(p), math.cos(p)]], dtype=points.dtype)
    return points @ right.T @ up.T


@pytest.mark.parametrize("yaw, pitch", [(0, 0), (30, 0), (-55, 0), (0, 20), (0, -35)])
def test_angles_are_those_that_a_face_was_turned_by(yaw, pitch):
    found = measure_geometry(turned(mesh(), yaw, pitch))[0]
    torch.testing.assert_close(found, torch.tensor([yaw, pitch, 0.1], dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale, shift", [(0.3, 0.0), (2.0, 50.0)])
def test_geometry_depends_neither_on_size_nor_on_place(scale, shift):
    face = turned(mesh(), 20, 10)
    torch.testing.assert_close(measure_geometry(scale * face + shift), measure_geometry(face))


def test_a_face_that_turns_right_looks_away_on_the_right():
    """Its right edge is farther from the camera than its left one, and a nose before them moves to the right."""
    face = turned(mesh(), 25)[0]
    assert face[SIDES[0][1], 2] > face[SIDES[0][0], 2]
    nose = turned(torch.tensor([[0.0, 0.0, -60.0]]), 25)
    assert nose[0, 0] > 20


@pytest.mark.parametrize("side", [512, 256, 1024])
def test_the_crop_is_the_faces(side):
    columns = torch.linspace(-1, 1, side)
    images = torch.stack([columns.expand(side, side), columns[:, None].expand(side, side), torch.zeros(side, side)])[
        None
    ]
    found = crop_colours(images, 39)
    assert found.shape == (1, 39, 39, 3) and found.is_contiguous()
    top, bottom, left, right = ALIGNED
    step = (right - left) / 39
    torch.testing.assert_close(found[0, 20, :, 0], left + step * (torch.arange(39) + 0.5), rtol=0, atol=3 / side)
    torch.testing.assert_close(found[0, :, 20, 1], top + step * (torch.arange(39) + 0.5), rtol=0, atol=3 / side)
    assert ((found[..., 2] - 0.5).abs() < 1e-6).all()


def test_colours_are_antialiased_and_clipped():
    board = torch.tensor([1.0, -1.0]).repeat(64)[None] * torch.tensor([1.0, -1.0]).repeat(64)[:, None]
    assert (crop_colours(board.expand(1, 3, 128, 128), 8) - 0.5).abs().max() < 0.02
    assert crop_colours(torch.full((1, 3, 64, 64), 3.0), 8).max() == 1
    with pytest.raises(ValueError, match=r"images must be \(N, 3, H, W\) for face predictors, got \(2, 1, 8, 8\)"):
        crop_colours(torch.zeros(2, 1, 8, 8), 8)


@pytest.mark.parametrize("predictor", [*NETWORKS, PersonMask])
def test_without_the_models_one_line_says_what_to_run(predictor, tmp_path, monkeypatch):
    monkeypatch.setenv("LATENT_LAB_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="is not installed; run make faces") as error:
        predictor()
    assert "\n" not in str(error.value)


def test_without_dlib_one_line_says_what_to_run(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(FileNotFoundError, match="^dlib-bin is not installed; run make faces$"):
        DlibIdentity()


@pytest.mark.parametrize("network", marked(*NETWORKS, PersonMask))
def test_an_image_is_judged_alone_and_has_gradients(network):
    network = network()
    images = torch.cat([drawn_face(), drawn_face(0.03, 0.05), drawn_face(-0.03, smile=0.03)]).requires_grad_()
    values = network(images)
    assert len(values) == 3 and values.isfinite().all() and not list(network.parameters())
    alone = torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(alone, values, rtol=1e-3, atol=1e-4 * values.abs().max().item())
    values.sum().backward()
    assert images.grad.isfinite().all()
    if network.__class__ is not SSRNetGender:  # it is so sure of a drawing that its gradient vanishes
        assert images.grad.flatten(1).abs().amax(1).min() > 0


@pytest.mark.parametrize("network", marked(*NETWORKS, PersonMask))
def test_everything_is_computed_where_the_images_are(network):
    """Torch refuses to mix the device meta with another one."""
    assert network().to("meta")(drawn_face().to("meta")).device.type == "meta"


@pytest.mark.parametrize("predictor", marked(*NETWORKS[:4]))
def test_values_lie_in_their_ranges(predictor, rng):
    predictor = predictor()
    values = predictor(
        torch.cat([drawn_face(dark=True), drawn_face(smile=0.04), torch.rand(2, 3, 256, 256, generator=rng)])
    )
    assert values.shape == (4, len(predictor.names)) and values[:2].isfinite().all()
    assert len(predictor.names) == len(predictor.units) == len(predictor.ranges) == len(predictor.periods)
    for column, (low, high) in zip(values.T, predictor.ranges):
        assert (((column >= low) & (column <= high)) | column.isnan()).all()


@pytest.mark.faces
@pytest.mark.skipif(not HERE, reason="the predictors of faces are not installed: make faces")
class TestOnADrawnFace:
    def test_yaw_follows_the_features_to_the_right(self):
        yaw = FaceGeometry()(torch.cat([drawn_face(-0.05), drawn_face(), drawn_face(0.05)]))[:, 0]
        assert yaw[0] < -8 and abs(yaw[1]) < 5 and yaw[2] > 8

    def test_a_mirror_image_looks_the_other_way(self):
        face, predictor = drawn_face(0.05, 0.04), FaceGeometry()
        there, back = predictor(face)[0], predictor(face.flip(3))[0]
        assert abs(there[0] + back[0]) < 5 and abs(there[1] - back[1]) < 6 and abs(there[2] - back[2]) < 0.04

    def test_the_mouth_opens(self):
        mouth = FaceGeometry()(torch.cat([drawn_face(gap=gap) for gap in (0.0, 0.04, 0.08)]))[:, 2]
        assert mouth[0] < 0.04 and mouth[1] > mouth[0] + 0.03 and mouth[2] > mouth[1] + 0.03

    def test_a_smile_is_seen(self):
        smile = Smile()(torch.cat([drawn_face(), drawn_face(gap=0.05, smile=0.04), drawn_face(smile=-0.03)]))[:, 0]
        assert smile[1] > 0.3 > 0.1 > max(smile[0], smile[2])

    def test_no_face_is_nan_and_spoils_no_gradient(self, rng):
        images = torch.cat(
            [torch.rand(1, 3, 256, 256, generator=rng) * 2 - 1, drawn_face(), torch.zeros(1, 3, 256, 256)]
        ).requires_grad_()
        values = FaceGeometry()(images)
        assert values.isnan().all(1).tolist() == [True, False, True]
        values[1].sum().backward()
        assert images.grad.isfinite().all() and images.grad[1].abs().max() > 0

    def test_faces_found_count_from_the_given_probability_on(self):
        face = drawn_face()
        assert (
            FaceGeometry(presence=1.0)(torch.zeros_like(face)).isnan().all()
            and FaceGeometry(presence=0.0)(torch.zeros_like(face)).isfinite().all()
        )
        with pytest.raises(ValueError, match="presence must be a probability from 0 to 1, got 2"):
            FaceGeometry(presence=2)

    def test_age_is_the_expectation_over_years(self):
        predictor, face = FaceRes(), drawn_face()
        classes = predictor.model(255 * crop_colours(face, 224))[0][0]
        assert predictor(face)[0, 0].item() == pytest.approx(
            sum(age * share for age, share in enumerate(classes.tolist())), rel=1e-4
        )
        assert classes.sum().item() == pytest.approx(1, abs=1e-4)

    def test_the_person_is_not_the_background(self):
        mask = PersonMask()(drawn_face(side=320))
        assert mask.shape == (1, 1, 320, 320) and 0 <= mask.min() and mask.max() <= 1
        assert mask[0, 0, 150:200, 140:180].min() > 0.9 and mask[0, 0, :40, :40].max() < 0.1

    @pytest.mark.parametrize("identity", [FaceResIdentity, MobileFaceIdentity])
    def test_a_mirror_image_is_nearer_than_another_face(self, identity):
        identity = identity()
        face, other = identity(drawn_face(0.02)), identity(drawn_face(0.02, dark=True))
        mirrored = identity.measure(None, None, drawn_face(0.02).flip(3))
        assert F.cosine_similarity(face, mirrored) > F.cosine_similarity(face, other) + 0.02

    def test_the_configuration_measures_its_targets(self):
        config = OmegaConf.load(CONF / "dataset" / "faces.yaml")
        attributes = instantiate(config.attributes)
        values = Selection(attributes, list(config.targets))(drawn_face())
        assert values.shape == (1, 6) and values.isfinite().all()
        assert instantiate(config.identity)(drawn_face()).shape == (1, 256)


@pytest.mark.parametrize("identity", marked(DlibIdentity, marks=dlib))
def test_dlib_knows_a_mirror_image_and_says_where_no_face_is(identity):
    images = torch.cat(
        [drawn_face(0.02), drawn_face(0.02).flip(3), drawn_face(0.02, dark=True), torch.zeros(1, 3, 256, 256)]
    )
    face, mirrored, other, nothing = identity().measure(None, None, images)
    assert len(face) == 128 and nothing.isnan().all()
    assert torch.dist(face, mirrored) < torch.dist(face, other)
