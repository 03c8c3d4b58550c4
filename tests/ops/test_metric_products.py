"""Jacobian products against the dense Jacobian, in float64."""

from __future__ import annotations

import pytest
import torch

from latent_lab.gans.codes import Codes
from latent_lab.gans.shapes import Shapes
from latent_lab.gans.space import LatentSpace
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.ops.jacobian import leading_directions, metric_product, pullback_metric

N = 2


def spaces() -> dict[str, LatentSpace]:
    style = StyleGAN2(latent_dim=6, style_dim=6, widths=[8, 8], mapping_layers=2).double()
    with torch.no_grad():
        for parameter in style.parameters():
            parameter.copy_(
                torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
                / max(1, parameter[0].numel()) ** 0.5
                if parameter.ndim
                else 0.1
            )
    return {"shapes": Shapes(resolution=12).double().space(), "w": style.space("w"), "w+": style.space("w+")}


@pytest.fixture(params=["shapes", "w", "w+"])
def space(request) -> LatentSpace:
    return spaces()[request.param]


@pytest.fixture
def codes(space, rng) -> Codes:
    codes = space.sample(N, rng)
    return codes.moved(codes.latents.double())


@pytest.fixture
def weights(space, rng):
    size = space.generator.resolution
    return torch.rand(N, 2, size, size, generator=rng, dtype=torch.float64)


def dense(space: LatentSpace, codes: Codes, weights: torch.Tensor, layers: list[int]) -> torch.Tensor:
    """J^T W J of each region from the whole Jacobian by reverse mode."""
    total = 0
    for n in range(N):
        here = codes.select(slice(n, n + 1))
        # (C, H, W, [L,] D)
        jacobian = torch.func.jacrev(lambda z, here=here: space.decode(here.moved(z)))(here.latents)[0].squeeze(3)
        jacobian = jacobian[..., layers, :].sum(3) if jacobian.ndim == 5 else jacobian
        total = total + torch.einsum("chwd,rhw,chwe->rde", jacobian, weights[n], jacobian) / N
    return total


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_products_are_those_of_the_dense_jacobian(space, codes, weights, chunk):
    layers = [0, 2] if space.name == "w+" else None
    expected = dense(space, codes, weights, layers or [])
    found = metric_product(space, codes, torch.eye(space.shape[-1]).double(), weights, layers, chunk)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item())
    assert not found.requires_grad and found.dtype == torch.float64


def test_all_layers_of_equal_rows_are_the_metric_of_w(rng):
    every = spaces()
    codes = every["w"].sample(1, rng)
    codes = codes.moved(codes.latents.double())
    rows = every["w"].generator.convert(codes, "w", "w+")
    weights, axes = torch.ones(1, 1, 8, 8).double(), torch.eye(6).double()
    torch.testing.assert_close(
        metric_product(every["w+"], rows, axes, weights), metric_product(every["w"], codes, axes, weights)
    )


def test_differences_agree(rng):
    space = spaces()["shapes"]
    codes = space.sample(1, rng)
    codes = codes.moved(codes.latents.double())
    exact = metric_product(space, codes, torch.eye(7).double(), torch.ones(1, 1, 12, 12))[0]
    assert (pullback_metric(space, codes, 1e-3)[0] - exact).norm() < 1e-2 * exact.norm()


def test_leading_directions_span_the_largest_eigenvectors(space, codes, rng):
    dim, size = space.shape[-1], space.generator.resolution
    metric = metric_product(space, codes, torch.eye(dim).double(), torch.ones(N, 1, size, size))[0]
    basis = leading_directions(space, codes, 4, rng, iterations=3)
    torch.testing.assert_close(basis @ basis.mT, torch.eye(4).double())
    top = torch.linalg.eigh(metric).eigenvectors[:, -1]
    assert (basis @ top).norm() > 0.99
