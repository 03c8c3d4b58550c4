"""Boxes, mask files and predictors as regions of the image."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from latent_lab.ops.region import box_mask, region_masks


class Brighter(nn.Module):
    """Pixels above a level."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images.mean(1, keepdim=True) > self.level).float()


def test_a_box_covers_shares_of_pixels():
    mask = box_mask([0.25, 0.0, 0.75, 0.625], 4, 4)
    torch.testing.assert_close(mask, torch.tensor([[0, 0, 0, 0], [1, 1, 0.5, 0], [1, 1, 0.5, 0], [0, 0, 0, 0]]))
    assert box_mask([0.2, 0.3, 0.9, 0.7], 10, 20).sum() == pytest.approx(0.7 * 0.4 * 200)


def test_region_and_rest_sum_to_one(space, rng, tmp_path):
    codes = space.sample(3, rng)
    picture = np.zeros((64, 64), np.uint8)
    picture[:32] = 255
    Image.fromarray(picture).save(tmp_path / "half.png")
    half = region_masks(str(tmp_path / "half.png"), space, codes)
    # resized: its edge is soft
    torch.testing.assert_close(half, region_masks([0.0, 0.0, 0.5, 1.0], space, codes), rtol=0, atol=0.3)
    for region in (half, region_masks(Brighter(0.0), space, codes)):
        assert region.shape == (3, 2, 32, 32)
        torch.testing.assert_close(region.sum(1), torch.ones(3, 32, 32))


@pytest.mark.parametrize(
    "region, message",
    [
        ([0.5, 0.0, 0.2, 1.0], r"method.region must be \[top, left, bottom, right\] with 0 <= top < bottom <= 1"),
        ([0.0, 0.0, 0.5], "method.region must be"),
        ([0.0, 0.0, 2.0, 1.0], "method.region must be"),
        ([0.0, 0.0, 1.0, 1.0], "method.region is the whole image"),
        ([0.5, 0.5, 0.505, 0.505], "method.region holds no pixel"),
        (Brighter(2.0), "method.region holds no pixel in 2 samples of 32 x 32"),
        (Brighter(-2.0), "method.region is the whole image"),
    ],
)
def test_a_region_is_a_part_of_the_image(space, rng, region, message):
    with pytest.raises(ValueError, match=message):
        region_masks(region, space, space.sample(2, rng))


def test_a_mask_of_another_shape_is_refused(space, rng, tmp_path):
    Image.fromarray(np.full((40, 64), 255, np.uint8)).save(tmp_path / "wide.png")
    with pytest.raises(ValueError, match="method.region must have the shape of the images, 32 x 32, got 40 x 64"):
        region_masks(str(tmp_path / "wide.png"), space, space.sample(1, rng))
    with pytest.raises(FileNotFoundError, match="method.region must be a box, a picture's file or a predictor"):
        region_masks("nowhere.png", space, space.sample(1, rng))
    (tmp_path / "text.png").write_text("no picture")
    # Pillow would run Ghostscript
    (tmp_path / "drawing.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    Image.new("1", (13_370, 13_370)).save(tmp_path / "large.png")
    for name, why in {
        "text": "cannot identify",
        "drawing": "cannot identify",
        "large": "179 megapixels, more than the 89",
    }.items():
        with (
            warnings.catch_warnings(),
            pytest.raises(
                ValueError, match=rf"region must be a picture that can be read, got .*{name}\.png' \(.*{why}"
            ),
        ):
            warnings.simplefilter("error")
            region_masks(str(tmp_path / f"{name}.png"), space, space.sample(1, rng))
