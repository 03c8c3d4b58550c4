"""Crops of faces: rows are rows, columns are columns, and an image without a face is counted."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from latent_lab.attributes.faces.face_crops import ALIGNED, MEAN, STD, DlibFaces, FaceCrops


class Boxes(nn.Module):
    """A detector that knows where the faces are."""

    def __init__(self, *boxes: tuple[float, float, float, float]) -> None:
        super().__init__()
        self.found = torch.tensor(boxes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.found


NOWHERE = (float("nan"),) * 4


def plain(crops: torch.Tensor) -> torch.Tensor:
    """Colours in [0, 1] again."""
    return crops * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]


def test_a_marked_pixel_stays_in_its_row_and_column():
    images = -torch.ones(1, 3, 40, 60)
    images[0, :, 13, 45] = 1  # in the box at row 3, column 5
    crops, found = FaceCrops(10, Boxes((10, 20, 40, 50)))(images)
    assert found.tolist() == [True]
    expected = torch.zeros(10, 10)
    expected[3, 5] = 1
    torch.testing.assert_close(plain(crops)[0], expected.expand(3, 10, 10), atol=1e-6, rtol=0)


def test_a_margin_grows_the_box_about_its_centre_and_stays_in_the_image():
    images = -torch.ones(2, 3, 40, 60)
    images[:, :, 8:22, 36:50] = 1
    crops, _ = FaceCrops(14, Boxes((10, 20, 38, 48), (30, 50, 50, 70)), margin=0.2)(images)
    # 2 pixels more on each side: rows 8 to 22, columns 36 to 50
    torch.testing.assert_close(plain(crops)[0], torch.ones(3, 14, 14))
    assert plain(crops)[1].abs().max() < 1e-6


def test_an_aligned_face_is_where_ffhqs_is():
    crops, rng = FaceCrops(390), torch.Generator().manual_seed(0)
    images = torch.rand(1, 3, 512, 512, generator=rng) * 2 - 1
    torch.testing.assert_close(plain(crops(images)[0]), (images[:, :, 80:470, 61:451] + 1) / 2, atol=1e-5, rtol=0)
    assert crops.find_boxes(images[:, :, :256, :256]).tolist() == [[256 * share for share in ALIGNED]]


def test_a_missing_face_is_told_apart():
    crops = FaceCrops(8, Boxes((0, 10, 0, 10), NOWHERE, (50, 60, 0, 10)))  # the third lies outside the image
    values, found = crops(torch.zeros(3, 3, 40, 60))
    assert found.tolist() == [True, False, False] and values.isfinite().all()


def test_grey_images_are_refused():
    with pytest.raises(ValueError, match=r"images must be \(N, 3, H, W\) for face predictors, got \(1, 1, 8, 8\)"):
        FaceCrops(8)(torch.zeros(1, 1, 8, 8))


def test_dlib_finds_no_face_in_noise(rng):
    pytest.importorskip("dlib", reason="dlib-bin is not installed")
    boxes = DlibFaces(64)(torch.rand(2, 3, 96, 80, generator=rng) * 2 - 1)
    assert boxes.shape == (2, 4) and boxes.isnan().all()
