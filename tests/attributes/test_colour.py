"""Attributes of coloured squares whose colour, size and place are known."""

from __future__ import annotations

import math

import pytest
import torch

from latent_lab.attributes.colour import ColourAttributes

SIDE = 32
GREY, BLACK = (0.5, 0.5, 0.5), (0.0, 0.0, 0.0)


def square(colour=(1.0, 0.0, 0.0), ground=BLACK, size: int = 8, left: int = 12, top: int = 12) -> torch.Tensor:
    """Colours in [0, 1]; sizes in pixels."""
    image = torch.tensor(ground)[:, None, None].repeat(1, SIDE, SIDE)
    image[:, top : top + size, left : left + size] = torch.tensor(colour)[:, None, None]
    return (2 * image - 1)[None]


def measure(images: torch.Tensor) -> dict[str, torch.Tensor]:
    values = ColourAttributes()(images)
    assert values.shape == (len(images), 8)
    return dict(zip(ColourAttributes.names, values.unbind(1)))


@pytest.mark.parametrize(
    "colour, degrees",
    [
        ((1, 0, 0), 0),
        ((1, 1, 0), 60),
        ((0, 1, 0), 120),
        ((0, 1, 1), 180),
        ((0, 0, 1), -120),
        ((1, 0, 1), -60),
        ((1, 0.5, 0), math.degrees(math.atan2(3**0.5 / 2 * 0.5, 0.75))),
    ],
)
@pytest.mark.parametrize("ground", [BLACK, GREY])
def test_hue_is_the_angle_of_the_colour_whatever_the_grey_around(colour, degrees, ground):
    found = measure(square(colour, ground))["hue"].item()
    assert (found - degrees + 180) % 360 - 180 == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("size", [4, 8, 16])
def test_brightness_contrast_and_saturation_by_hand(size):
    share, luma = size**2 / SIDE**2, 0.299 * 0.8 + 0.587 * 0.2 + 0.114 * 0.4
    found = measure(square((0.8, 0.2, 0.4), BLACK, size))
    assert found["brightness"].item() == pytest.approx(share * luma, rel=1e-4)
    assert found["contrast"].item() == pytest.approx(luma * math.sqrt(share * (1 - share)), rel=1e-3)
    assert found["saturation"].item() == pytest.approx(share * math.hypot(0.5, 3**0.5 / 2 * 0.2), rel=1e-4)


def test_sharpness_by_hand():
    """An edge of 8 pixels on each of 4 sides."""
    found = measure(square((1.0, 1.0, 1.0), BLACK, 8))
    share = 64 / SIDE**2
    gradient = math.sqrt(4 * 8) / (SIDE - 1)
    assert found["sharpness"].item() == pytest.approx(gradient / math.sqrt(share * (1 - share)), rel=1e-3)


def test_a_blurred_square_is_less_sharp():
    image = square((1.0, 1.0, 1.0), BLACK, 12, 10, 10)
    blurred = torch.nn.functional.avg_pool2d(image, 5, 1, 2, count_include_pad=False)
    assert measure(blurred)["sharpness"] < 0.8 * measure(image)["sharpness"]


@pytest.mark.parametrize("left, top, size", [(12, 12, 8), (2, 20, 6), (20, 4, 10), (1, 1, 4)])
@pytest.mark.parametrize("colour, ground", [((1.0, 0.0, 0.0), BLACK), ((0.1, 0.2, 0.9), GREY)])
def test_size_and_place_are_those_drawn(left, top, size, colour, ground):
    found = measure(square(colour, ground, size, left, top))
    squared = sum((a - b) ** 2 for a, b in zip(colour, ground))
    assert found["size"].item() == pytest.approx(squared / (squared + 0.15**2) * size**2 / SIDE**2, rel=1e-3)
    assert found["x"].item() == pytest.approx((left + size / 2) / SIDE - 0.5, abs=1e-4)
    assert found["y"].item() == pytest.approx((top + size / 2) / SIDE - 0.5, abs=1e-4)


@pytest.mark.parametrize("axis, name", [(3, "x"), (2, "y")])
def test_a_move_of_a_pixel_changes_one_place_and_nothing_else(axis, name):
    image = square((0.9, 0.3, 0.1), GREY, 9, 8, 14)
    before, after = measure(image), measure(image.roll(1, axis))
    for other in ColourAttributes.names:
        assert after[other].item() == pytest.approx(before[other].item() + (other == name) / SIDE, abs=1e-4), other


def test_the_resolution_does_not_matter_for_shares():
    image = square((0.9, 0.3, 0.1), GREY, 8, 6, 16)
    small, large = measure(image), measure(image.repeat_interleave(2, 2).repeat_interleave(2, 3))
    for name in ("brightness", "contrast", "hue", "saturation", "size", "x", "y"):
        assert large[name].item() == pytest.approx(small[name].item(), abs=1e-4), name


def test_images_are_measured_each_for_itself():
    images = torch.cat([square(), square((0.0, 1.0, 0.5), GREY, 5, 3, 20)])
    torch.testing.assert_close(
        ColourAttributes()(images), torch.cat([ColourAttributes()(image[None]) for image in images])
    )
    assert ColourAttributes()(images.bfloat16()).dtype == torch.float32
    fields = (ColourAttributes.names, ColourAttributes.units, ColourAttributes.ranges, ColourAttributes.periods)
    assert {len(field) for field in fields} == {8}


def test_values_lie_in_their_ranges(rng):
    noise = (3 * torch.randn(20, 3, 16, 16, generator=rng)).tanh()
    values = ColourAttributes()(torch.cat([noise, noise.sign(), noise.mean((2, 3), keepdim=True).expand_as(noise)]))
    for column, (low, high), name in zip(values.mT, ColourAttributes.ranges, ColourAttributes.names):
        assert low - 1e-4 <= column.min() and column.max() <= high + 1e-4, name


def test_the_sharpest_image_lies_in_the_range():
    """A chessboard of single pixels."""
    board = 2.0 * ((torch.arange(16)[:, None] + torch.arange(16)) % 2) - 1
    low, high = dict(zip(ColourAttributes.names, ColourAttributes.ranges))["sharpness"]
    assert low < measure(board.expand(1, 3, 16, 16))["sharpness"] <= high


def test_hue_changes_the_short_way_round():
    before, after = (ColourAttributes()(square(colour)) for colour in ((0.0, 1.0, 0.9), (0.0, 0.9, 1.0)))
    change = ColourAttributes().change(before, after)[0, ColourAttributes.names.index("hue")]
    assert before[0, 2] > 170 and after[0, 2] < -170 and 0 < change < 20


@pytest.mark.parametrize("name", ColourAttributes.names)
def test_gradients_are_finite_differences(name, rng):
    image = 0.8 * square((0.9, 0.3, 0.1), GREY, 9, 8, 14) + 0.1 * torch.randn(1, 3, SIDE, SIDE, generator=rng)
    direction = torch.randn(image.shape, generator=rng)
    image.requires_grad_()
    (gradient,) = torch.autograd.grad(measure(image)[name].sum(), image)
    h = 1e-3
    with torch.no_grad():
        secant = (measure(image + h * direction)[name] - measure(image - h * direction)[name]) / (2 * h)
    assert (gradient * direction).sum().item() == pytest.approx(secant.item(), rel=0.02, abs=2e-3)


@pytest.mark.parametrize("name", [name for name in ColourAttributes.names if name != "hue"])
@pytest.mark.parametrize("level", [None, -1.0, 0.0, 1.0])
def test_gradients_are_finite_at_a_plain_grey_image_too(level, name):
    """Only hue has no gradient there, and must not spoil that of the others."""
    image = (square() if level is None else torch.full((1, 3, 8, 8), level)).requires_grad_()
    found = measure(image)
    assert all(value.isfinite() for value in found.values())
    assert torch.autograd.grad(found[name].sum(), image)[0].isfinite().all()


def test_a_plain_image_has_no_contrast_no_colour_and_no_subject():
    found = measure(torch.full((1, 3, 8, 8), 0.5))
    assert found["brightness"].item() == pytest.approx(0.75)
    for name in ("contrast", "saturation", "sharpness", "size", "x", "y"):
        assert found[name].item() == pytest.approx(0, abs=1e-3), name


@pytest.mark.parametrize("channels", [1, 4])
def test_only_colour_images_have_colour(channels):
    with pytest.raises(ValueError, match=f"images must have 3 channels for colour attributes, got {channels}"):
        ColourAttributes()(torch.zeros(1, channels, 8, 8))
