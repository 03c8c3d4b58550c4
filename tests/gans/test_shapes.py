"""The generator whose truth is known: its prior, its factors, its images."""

from __future__ import annotations

import pytest
import torch

from latent_lab.gans.shapes import Shapes

NUM = 20_000
MIXINGS = [0.0, 0.3, 1.0, 2.5]


def draw(num: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(num, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_mixing_keeps_every_sphere(mixing):
    z = draw(100)
    # the rotation is stored in float32
    torch.testing.assert_close(Shapes(mixing).factors(z).norm(dim=1), z.norm(dim=1), rtol=1e-6, atol=0)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_factors_of_the_prior_are_standard_normal_and_independent(mixing):
    u = Shapes(mixing).factors(draw(NUM))
    torch.testing.assert_close(u.mean(0), torch.zeros(7).double(), rtol=0, atol=0.03)
    torch.testing.assert_close(torch.cov(u.mT), torch.eye(7).double(), rtol=0, atol=0.04)
    torch.testing.assert_close(torch.cov(u.square().mT), 2 * torch.eye(7).double(), rtol=0, atol=0.2)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_latents_is_the_inverse_of_factors(mixing):
    generator, z = Shapes(mixing), draw(100)
    torch.testing.assert_close(generator.latents(generator.factors(z)), z, rtol=0, atol=1e-5 * (1 + mixing))
    torch.testing.assert_close(generator.factors(generator.latents(z)), z, rtol=0, atol=1e-5 * (1 + mixing))


@pytest.mark.parametrize("mixing", MIXINGS)
def test_factors_keep_volumes(mixing):
    generator = Shapes(mixing)
    jacobians = torch.stack([torch.func.jacrev(lambda point: generator.factors(point[None])[0])(z) for z in draw(5)])
    torch.testing.assert_close(torch.linalg.det(jacobians).abs(), torch.ones(5).double(), rtol=0, atol=1e-5)


def test_without_mixing_the_factors_are_one_rotation():
    generator, z = Shapes(0.0), draw(50)
    rotation = generator.rotation.double()
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(7).double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(generator.factors(z), z @ rotation.mT)


def test_mixing_turns_pairs_by_an_angle_of_the_radius():
    generator, z = Shapes(0.5), draw(50)
    u, v = generator.factors(z), Shapes(0.0).factors(z)
    angle = 0.5 * torch.pi / 2 * (z.norm(dim=1) - 7**0.5)
    for i, sign in enumerate((1, -1, 1)):
        turned = torch.complex(v[:, i], v[:, i + 3]) * torch.polar(torch.ones(50).double(), sign * angle)
        torch.testing.assert_close(torch.complex(u[:, i], u[:, i + 3]), turned)
    torch.testing.assert_close(u[:, 6], v[:, 6])


def test_linear_regression_explains_less_of_the_factors_the_stronger_the_mixing():
    z = draw(5000)

    def explained(mixing: float) -> float:
        u = Shapes(mixing).factors(z)
        rest = u - z @ torch.linalg.lstsq(z, u).solution
        return 1 - (rest.square().sum() / u.square().sum()).item()

    shares = [explained(mixing) for mixing in (0.0, 0.25, 0.5, 1.0, 2.0)]
    assert shares[0] == pytest.approx(1) and shares == sorted(shares, reverse=True)
    assert shares[2] < 0.9 and shares[-1] < 0.4


@pytest.mark.parametrize("resolution", [4, 16, 32])
def test_images_have_the_declared_shape_and_range(resolution, rng):
    generator = Shapes(resolution=resolution)
    codes = generator.space().sample(64, rng)
    images = generator.decode("z", codes.moved(3 * codes.latents))
    assert (
        images.shape
        == (64, 3, resolution, resolution)
        == (64, generator.channels, generator.resolution, generator.resolution)
    )
    assert images.abs().max() <= 1 and images.std() > 0.1


def test_an_image_does_not_depend_on_its_batch(rng):
    space = Shapes().space()
    codes = space.sample(4, rng)
    torch.testing.assert_close(
        space.decode(codes), torch.cat([space.decode(codes.select(slice(i, i + 1))) for i in range(4)])
    )


@pytest.mark.parametrize("factor", Shapes.factor_names)
def test_every_factor_has_an_effect_and_a_gradient_everywhere(factor):
    generator, index = Shapes(), Shapes.factor_names.index(factor)
    u = 0.8 * draw(12).float()
    tangent = torch.zeros_like(u)
    tangent[:, index] = 1
    slope = torch.func.jvp(generator.render, (u,), (tangent,))[1].flatten(1).norm(dim=1)
    assert slope.isfinite().all() and slope.min() > 0.1
    assert (generator.render(u + tangent) - generator.render(u)).flatten(1).norm(dim=1).min() > 0.1


def still(**factors: float) -> torch.Tensor:
    u = torch.zeros(1, 7)
    for name, value in factors.items():
        u[0, Shapes.factor_names.index(name)] = value
    return Shapes(resolution=33).render(u)[0]


def ink(image: torch.Tensor) -> torch.Tensor:
    return (image - image[:, :1, :1]).abs().sum(0)


def test_the_mean_image_is_a_lying_ellipse_in_the_centre():
    shape = ink(still())
    torch.testing.assert_close(shape, shape.flip(0), atol=1e-4, rtol=0)
    torch.testing.assert_close(shape, shape.flip(1), atol=1e-4, rtol=0)
    extent = [((shape.sum(axis) > 0.5 * shape.sum(axis).max()).sum().item()) for axis in (0, 1)]
    assert extent[0] > extent[1]


@pytest.mark.parametrize("factor, axis", [("x", 1), ("y", 0)])
def test_x_grows_to_the_right_and_y_downwards(factor, axis):
    shape = ink(still(**{factor: 1.0}))
    position = shape.sum(1 - axis)
    other = shape.sum(axis)
    places = torch.arange(33.0) - 16
    assert (position * places).sum() / position.sum() > 2
    assert abs((other * places).sum() / other.sum()) < 0.1


def test_size_grows_the_ellipse_and_background_lights_the_ground():
    assert ink(still(size=1.0)).sum() > 1.2 * ink(still()).sum() > 1.44 * ink(still(size=-1.0)).sum()
    corners = [still(background=value)[:, 0, 0].mean().item() for value in (-1.0, 0.0, 1.0)]
    assert corners == sorted(corners) and corners[1] == pytest.approx(-0.5, abs=0.01)


def test_hue_changes_the_ellipse_and_not_the_ground():
    red, other = still(), still(hue=1.0)
    torch.testing.assert_close(red[:, 0, 0], other[:, 0, 0], atol=1e-3, rtol=0)
    assert red[0, 16, 16] > red[1, 16, 16] and (red - other)[:, 16, 16].abs().max() > 0.3


def test_config_rebuilds_the_generator(rng):
    generator = Shapes(0.7, 1.5, 16)
    codes = generator.space().sample(3, rng)
    assert torch.equal(Shapes(**generator.config).decode("z", codes), generator.decode("z", codes))


@pytest.mark.parametrize("truncation", [1.0, 0.5])
def test_the_prior_is_a_truncated_normal_scaled_not_clipped(truncation, rng):
    latents = Shapes().space(truncation=truncation).sample(5000, rng).latents
    assert latents.shape == (5000, 7) and abs(latents.std() - truncation) < 0.01


@pytest.mark.parametrize("options", [dict(mixing=-0.1), dict(ratio=0.9), dict(resolution=3)])
def test_errors_name_the_limits_in_one_line(options):
    with pytest.raises(
        ValueError, match="mixing must be at least 0, ratio at least 1, resolution at least 4, got"
    ) as error:
        Shapes(**options)
    assert "\n" not in str(error.value)
