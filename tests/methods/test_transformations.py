"""Transformations of images: where pixels go, what is unknown, errors."""

from __future__ import annotations

import math

import pytest
import torch

from latent_lab.methods.transformations import NAMES, make_parameters, transform


def by(name: str, amount: float, num: int = 1) -> torch.Tensor:
    parameters = torch.zeros(num, len(NAMES))
    parameters[:, NAMES.index(name)] = amount
    return parameters


@pytest.fixture
def images(rng) -> torch.Tensor:
    return 0.8 * torch.rand(2, 3, 16, 16, generator=rng) - 0.4


def test_nothing_changes_nothing(images):
    same, known = transform(images, torch.zeros(2, len(NAMES)))
    torch.testing.assert_close(same, images, rtol=0, atol=1e-5)
    assert known.shape == (2, 1, 16, 16) and known.all()


@pytest.mark.parametrize(("name", "axis"), [("shift_x", 3), ("shift_y", 2)])
@pytest.mark.parametrize("pixels", [-3, 5])
def test_a_shift_moves_pixels_and_knows_not_what_comes_in(name, axis, pixels, images):
    moved, known = transform(images, by(name, pixels / 16, 2))
    inside = known.bool().expand_as(moved)
    torch.testing.assert_close(moved[inside], images.roll(pixels, axis)[inside], rtol=0, atol=1e-5)
    assert known.mean().item() == pytest.approx(1 - abs(pixels) / 16)
    unknown = known.narrow(axis, 0, 5) if pixels > 0 else known.narrow(axis, 13, 3)
    assert not unknown.any()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_quarter_turn_is_anticlockwise(turns, images):
    moved, known = transform(images, by("rotate", 90.0 * turns, 2))
    torch.testing.assert_close(moved, images.rot90(turns, (2, 3)), rtol=0, atol=1e-4)
    assert known.all()


def test_zooming_in_magnifies_the_centre(images):
    doubled, known = transform(images, by("zoom", math.log(2), 2))
    assert known.all()
    # pixel 8 + i of the result shows what lies i / 2 pixels from the centre
    torch.testing.assert_close(
        doubled[:, :, 8, 8],
        (9 * images[:, :, 8, 8] + 3 * (images[:, :, 7, 8] + images[:, :, 8, 7]) + images[:, :, 7, 7]) / 16,
        rtol=0,
        atol=1e-3,
    )
    _, known = transform(images, by("zoom", -math.log(2), 2))
    assert known[:, :, 4:12, 4:12].all() and known.sum() == 2 * 64


def test_magnified_then_turned_then_shifted(images):
    """The order is that of the docstring."""
    parameters = by("rotate", 90.0, 2) + by("shift_x", 4 / 16, 2)
    moved, known = transform(images, parameters)
    expected = images.rot90(1, (2, 3)).roll(4, 3)
    inside = known.bool().expand_as(moved)
    torch.testing.assert_close(moved[inside], expected[inside], rtol=0, atol=1e-4)


def test_colours(images):
    brighter, known = transform(images, by("brightness", 0.1, 2))
    torch.testing.assert_close(brighter, images + 0.2, rtol=0, atol=1e-5)
    green, _ = transform(images, by("green", 0.1, 2))
    torch.testing.assert_close(
        green - images, torch.tensor([0.0, 0.2, 0.0])[:, None, None].expand_as(images), rtol=0, atol=1e-5
    )
    assert transform(images, by("brightness", 2.0, 2))[0].max() == 1 and known.all()


def test_gradients_reach_parameters(images):
    parameters = torch.full((2, len(NAMES)), 0.01, requires_grad=True)
    transform(images, parameters)[0].square().sum().backward()
    assert parameters.grad.isfinite().all() and (parameters.grad != 0).all()


def test_units_have_a_column_each():
    units = make_parameters({"rotate": 20.0, "zoom": 0.3}, 1)
    assert units.tolist() == (by("rotate", 20.0) + 0).tolist() + by("zoom", 0.3).tolist()


@pytest.mark.parametrize(
    ("units", "channels", "message"),
    [
        (
            {"red": 0.1},
            1,
            r"transformations must be among \['zoom', 'shift_x', 'shift_y', 'rotate', "
            r"'brightness'\] for images of 1 channels, got \['red'\]",
        ),
        (
            {"twist": 0.1},
            3,
            r"transformations must be among \['zoom', .*'blue'\] for images of 3 channels, got \['twist'\]",
        ),
        ({}, 3, "transformations must be among"),
        ({"zoom": 0.0}, 3, "transformations must be above 0, the parameter of one unit of amount, got {'zoom': 0.0}"),
    ],
)
def test_errors_are_one_line(units, channels, message):
    with pytest.raises(ValueError, match=message) as error:
        make_parameters(units, channels)
    assert "\n" not in str(error.value)
