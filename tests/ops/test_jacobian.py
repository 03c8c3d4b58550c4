"""The image's metric against the exact Jacobian."""

from __future__ import annotations

import pytest
import torch

from latent_lab.gans.codes import Codes
from latent_lab.gans.shapes import Shapes
from latent_lab.gans.space import LatentSpace
from latent_lab.ops.jacobian import pullback_metric


def exact(space: LatentSpace, codes: Codes) -> torch.Tensor:
    def images(z: torch.Tensor) -> torch.Tensor:
        return space.decode(codes.moved(z)).flatten(1)

    axes = torch.eye(*space.shape).expand(len(codes), -1, -1).unbind(1)
    jacobians = torch.stack([torch.func.jvp(images, (codes.latents,), (axis,))[1] for axis in axes], 2)
    return jacobians.mT @ jacobians


def relative_error(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return ((one - other).flatten(1).norm(dim=1) / other.flatten(1).norm(dim=1)).max()


@pytest.fixture
def shapes() -> LatentSpace:
    return Shapes(resolution=12).space()


@pytest.mark.parametrize("name", ["shapes", "space"])
def test_the_metric_is_that_of_the_jacobian(name, rng, request):
    space = request.getfixturevalue(name)
    codes = space.sample(3, rng)
    expected = exact(space, codes)
    coarse, fine = (relative_error(pullback_metric(space, codes, step), expected) for step in (0.05, 0.001))
    assert fine < 0.01 and fine < coarse / 3 and coarse < 0.1


def test_the_jacobian_of_shapes_is_the_same_backwards(shapes, rng):
    codes = shapes.sample(1, rng)
    jacobian = torch.func.jacrev(lambda z: shapes.decode(codes.moved(z[None])).flatten())(codes.latents[0])
    assert relative_error(pullback_metric(shapes, codes, 0.001), (jacobian.mT @ jacobian)[None]) < 0.01


@pytest.mark.parametrize("name", ["shapes", "space", "sphere"])
def test_the_metric_is_symmetric_and_has_no_negative_direction(name, rng, request):
    space = request.getfixturevalue(name)
    metric = pullback_metric(space, space.sample(3, rng))
    assert metric.shape == (3, *space.shape, *space.shape)
    torch.testing.assert_close(metric, metric.mT)
    assert (
        torch.linalg.eigvalsh(metric.double()) > -1e-4 * metric.diagonal(dim1=1, dim2=2).amax(1, keepdim=True)
    ).all()


@pytest.mark.parametrize("batch_size", [1, 5, 8, 17, 1000])
@pytest.mark.parametrize("name", ["shapes", "space"])
def test_the_metric_does_not_depend_on_the_batch(name, batch_size, rng, request):
    space = request.getfixturevalue(name)
    codes = space.sample(4, rng)
    torch.testing.assert_close(
        pullback_metric(space, codes, batch_size=batch_size), pullback_metric(space, codes), rtol=1e-3, atol=1e-2
    )


def test_the_generator_does_not_see_a_move_along_the_radius(sphere, rng):
    codes = sphere.sample(3, rng)
    metric, radial = pullback_metric(sphere, codes, 0.005), torch.nn.functional.normalize(codes.latents, dim=1)
    seen = torch.einsum("nd,nde,ne->n", radial, metric, radial)
    assert (seen < 1e-3 * metric.diagonal(dim1=1, dim2=2).mean(1)).all()


def test_the_metric_measures_small_moves(shapes, rng):
    codes = shapes.sample(6, rng)
    move = 0.01 * torch.nn.functional.normalize(torch.randn(6, 7, generator=rng), dim=1)
    change = (shapes.decode(codes.moved(codes.latents + move)) - shapes.decode(codes)).flatten(1).norm(dim=1)
    metric = pullback_metric(shapes, codes, 0.005)
    torch.testing.assert_close(torch.einsum("nd,nde,ne->n", move, metric, move).sqrt(), change, rtol=0.05, atol=0)


def test_no_gradient_is_kept(shapes, rng):
    codes = shapes.sample(2, rng)
    assert not pullback_metric(shapes, codes.moved(codes.latents.requires_grad_())).requires_grad
