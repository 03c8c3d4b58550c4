"""Attributes of bars whose size, place and shear are known."""

from __future__ import annotations

import pytest
import torch

from latent_lab.attributes.digits import DigitAttributes

SIDE = 32


def bar(width: float, height: int, x: float = 0.0, y: float = 0.0, slant: float = 0.0) -> torch.Tensor:
    """A bright bar on a dark ground, sharp up and down, smooth to the sides; x and y from the centre of the image, in
    pixels."""
    centre, rows, columns = (SIDE - 1) / 2, torch.arange(SIDE).double(), torch.arange(SIDE).double()
    middle = centre + x - slant * (rows - centre - y)  # of each row; a positive slant leans to the right, upwards
    left = (columns + 0.5 - (middle[:, None] - width / 2)).clamp(0, 1)
    right = (middle[:, None] + width / 2 - (columns - 0.5)).clamp(0, 1)
    inside = ((rows - centre - y).abs() < height / 2).double()
    return (2 * (left + right - 1).clamp(min=0) * inside[:, None] - 1).float()[None, None]


def measure(images: torch.Tensor) -> dict[str, torch.Tensor]:
    values = DigitAttributes()(images)
    assert values.shape == (len(images), 7)
    return dict(zip(DigitAttributes.names, values.unbind(1)))


BARS = [
    dict(width=3, height=20, x=0.5),
    dict(width=4, height=24, x=5, y=-2),
    dict(width=10, height=20, slant=0.3),
    dict(width=16, height=8, x=-4.25, y=3),
]


@pytest.mark.parametrize("shape", BARS, ids=str)
def test_ink_place_and_slant_are_those_drawn(shape):
    found = measure(bar(**shape))
    assert found["ink"].item() == pytest.approx(shape["width"] * shape["height"] / SIDE**2, rel=1e-5)
    assert found["x"].item() == pytest.approx(shape.get("x", 0), abs=1e-3)
    assert found["y"].item() == pytest.approx(shape.get("y", 0), abs=1e-3)
    assert found["slant"].item() == pytest.approx(shape.get("slant", 0), abs=1e-3)


@pytest.mark.parametrize("shape", [shape for shape in BARS if not shape.get("slant")], ids=str)
def test_width_and_height_are_the_extent_of_the_bar(shape):
    """Within 6 %: the moments of pixels are not quite those of the bar."""
    found = measure(bar(**shape))
    assert found["width"].item() == pytest.approx(shape["width"], rel=0.06)
    assert found["height"].item() == pytest.approx(shape["height"], rel=0.06)


@pytest.mark.parametrize("width", [2, 3, 4])
def test_thickness_is_that_of_a_long_stroke(width):
    """The ends of the stroke count as boundary, too: width * height / (width + height)."""
    found = measure(bar(width, 24))
    assert found["thickness"].item() == pytest.approx(width * 24 / (width + 24), rel=0.03)


def test_shear_changes_neither_height_nor_place():
    upright, sheared = measure(bar(4, 20)), measure(bar(4, 20, slant=0.4))
    for name in ("ink", "height", "x", "y"):
        assert sheared[name].item() == pytest.approx(upright[name].item(), abs=1e-3), name
    assert sheared["width"] > upright["width"] + 1


@pytest.mark.parametrize("axis, name", [(3, "x"), (2, "y")])
def test_one_pixel_is_one_pixel(axis, name):
    image = bar(5, 15, slant=0.2)
    before, after = measure(image), measure(image.roll(1, axis))
    for other in DigitAttributes.names:
        assert after[other].item() == pytest.approx(before[other].item() + (other == name), abs=1e-3), other


def test_images_are_measured_each_for_itself_and_colour_is_averaged():
    images = torch.cat([bar(**shape) for shape in BARS])
    together = DigitAttributes()(images)
    torch.testing.assert_close(together, torch.cat([DigitAttributes()(image[None]) for image in images]))
    torch.testing.assert_close(DigitAttributes()(images.expand(-1, 3, -1, -1)), together)
    assert DigitAttributes()(images.bfloat16()).dtype == torch.float32
    assert len(DigitAttributes.names) == len(DigitAttributes.units)


@pytest.mark.parametrize("name", DigitAttributes.names)
def test_gradients_are_finite_differences(name, rng):
    image = 0.8 * (2 * torch.rand(1, 1, SIDE, SIDE, generator=rng) - 1)
    direction = torch.randn(image.shape, generator=rng)
    image.requires_grad_()
    (gradient,) = torch.autograd.grad(measure(image)[name].sum(), image)
    h = 3e-3
    with torch.no_grad():
        secant = (measure(image + h * direction)[name] - measure(image - h * direction)[name]) / (2 * h)
    assert (gradient * direction).sum().item() == pytest.approx(secant.item(), rel=0.02, abs=2e-3)


@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_an_even_image_has_finite_values_and_gradients_and_lies_in_the_centre(level):
    image = torch.full((1, 1, SIDE, SIDE), level, requires_grad=True)
    found = measure(image)
    sum(found.values()).sum().backward()
    assert all(value.isfinite() for value in found.values()) and image.grad.isfinite().all()
    assert abs(found["x"]) < 1e-3 and abs(found["y"]) < 1e-3
