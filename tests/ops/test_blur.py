"""The blur is a convolution with a Gaussian, whatever lies outside the image."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from latent_lab.ops.blur import gaussian_blur

BORDERS = ("zeros", "replicate", "reflect")


@pytest.fixture
def images(rng):
    return torch.randn(2, 3, 12, 14, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize("border", BORDERS)
def test_a_blur_is_the_outer_product_of_gaussians(images, border):
    offsets = torch.arange(-3, 4).double()
    kernel = torch.exp(-(offsets[:, None].square() + offsets.square()) / 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, 7, 7)
    padded = F.pad(images, (3, 3, 3, 3), "constant" if border == "zeros" else border)
    torch.testing.assert_close(gaussian_blur(images, 1.0, border), F.conv2d(padded, kernel, groups=3))


@pytest.mark.parametrize("border", ("replicate", "reflect"))
def test_what_is_constant_stays_where_the_border_goes_on(images, border):
    flat = images[:, :, :1, :1].expand_as(images)
    torch.testing.assert_close(gaussian_blur(flat, 1.7, border), flat)
    assert (gaussian_blur(flat.abs(), 1.7, "zeros") <= flat.abs() + 1e-12).all()


@pytest.mark.parametrize("border", BORDERS)
def test_two_blurs_are_one_of_their_variances(border):
    points = torch.zeros(1, 1, 81, 81, dtype=torch.float64)
    points[..., 40, 40] = 1
    twice = gaussian_blur(gaussian_blur(points, 3.0, border, radius=18), 4.0, border, radius=20)
    torch.testing.assert_close(twice, gaussian_blur(points, 5.0, border, radius=30), rtol=0, atol=1e-6)


@pytest.mark.parametrize("border", BORDERS)
def test_its_gradient_is_the_derivative(border, rng):
    images = torch.randn(1, 2, 5, 6, generator=rng, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: gaussian_blur(x, 1.1, border), images)


def test_images_are_blurred_each_for_itself(images):
    whole = gaussian_blur(images, 2.0)
    torch.testing.assert_close(whole[1:], gaussian_blur(images[1:], 2.0))
    torch.testing.assert_close(whole[:, 2:], gaussian_blur(images[:, 2:], 2.0))
    assert gaussian_blur(images, 0) is images


def test_the_radius_cuts_the_gaussian(images):
    point = torch.zeros(1, 1, 15, 15)
    point[..., 7, 7] = 1
    assert (gaussian_blur(point, 1.5) > 0).sum() == 11**2 and (gaussian_blur(point, 1.5, radius=2) > 0).sum() == 5**2


@pytest.mark.parametrize(
    ("sigma", "border", "message"),
    [
        (-1, "zeros", "sigma must be 0 or more and finite, got -1"),
        (float("inf"), "zeros", "sigma must be 0 or more and finite, got inf"),
        (1.0, "wrap", r"border must be one of \('zeros', 'replicate', 'reflect'\), got 'wrap'"),
        (20, "reflect", "sigma must be below a third of the image's side 12, got 20"),
    ],
)
def test_what_is_wrong_is_said(images, sigma, border, message):
    with pytest.raises(ValueError, match=message):
        gaussian_blur(images, sigma, border)
