"""Paths along the gradients of radial basis functions."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from latent_lab.paths.rbf import RBFPaths

D, K, N = 8, 5, 10


def build(dtype: torch.dtype = torch.float64, **options) -> RBFPaths:
    return RBFPaths(D, K, num_dipoles=16, rng=torch.Generator().manual_seed(0), **options).to(dtype)


def inputs(dtype: torch.dtype = torch.float64, amount: float = 1.1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    return (
        torch.randn(N, D, generator=rng, dtype=dtype),
        torch.arange(N) % K,
        amount * torch.ones(N, dtype=dtype) * (-1) ** torch.arange(N),
    )


def test_direction_is_the_normalised_gradient_of_the_warping():
    paths, (z, k, _) = build(), inputs()
    z.requires_grad_()
    gradient = torch.autograd.grad(paths.warping(z, k).sum(), z)[0]
    torch.testing.assert_close(paths.direction(z, k), normalize(gradient, dim=1))


def test_warping_is_the_formula():
    paths, (z, k, _) = build(), inputs()
    expected = sum(
        sign * torch.exp(-paths.log_gammas[k].exp() * (z - paths.supports[k, i]).square().sum(1))
        for i, sign in enumerate([1, -1] * 16)
    )  # fmt: skip
    torch.testing.assert_close(paths.warping(z, k), expected)


def test_supports_start_as_dipoles_of_one_radius_a_path():
    supports = build().supports
    torch.testing.assert_close(supports[:, ::2], -supports[:, 1::2])
    radii = supports.norm(dim=-1)
    torch.testing.assert_close(
        radii, (1 + 3 * torch.arange(K) / K)[:, None].expand_as(radii).double(), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0, 1000.0])
def test_directions_are_unit_vectors_and_right_however_far_out(scale):
    """The warping itself underflows to 0 a few tens of units away, in float32 and in float64."""
    (z, k, _) = inputs()
    far = build().direction(scale * z, k)
    near = build(torch.float32).direction(scale * z.float(), k)
    torch.testing.assert_close(far.norm(dim=1), torch.ones(N, dtype=torch.float64))
    assert (far * near).sum(1).min() > 0.99


@pytest.mark.parametrize("integrator", RBFPaths.integrators)
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_gradients_are_finite_near_and_far(integrator, scale):
    paths, (z, k, eps) = build(torch.float32, integrator=integrator), inputs(torch.float32)
    z = (scale * z).requires_grad_()
    paths.shift(z, k, eps).square().mean().backward()
    assert all(tensor.grad.isfinite().all() for tensor in (z, *paths.parameters()))


S = torch.tensor([1.0, 0.5])
# the second pair cancels the first
FLAT = {"exactly": torch.zeros(1, 4, 2), "up to rounding": torch.stack([S, -S, -S, S])[None]}


@pytest.mark.parametrize("integrator", RBFPaths.integrators)
@pytest.mark.parametrize("how", FLAT)
def test_a_flat_warping_moves_nothing_and_has_small_gradients(how, integrator, rng):
    paths = RBFPaths(2, 1, num_dipoles=2, integrator=integrator, rng=rng)
    paths.supports.data = FLAT[how]
    z, k, eps = (
        torch.randn(3, 2, generator=rng).requires_grad_(),
        torch.zeros(3, dtype=torch.long),
        torch.tensor([0.2, 1.0, -3.0]),
    )
    moved = paths.shift(z, k, eps)
    if how == "exactly":
        assert torch.equal(paths.direction(z, k), torch.zeros(3, 2))
        assert torch.equal(moved, z)
    moved.square().mean().backward()
    for tensor in (z, *paths.parameters()):
        assert tensor.grad.abs().max() < 1e12  # their squares are summed for the norm of all gradients


@pytest.mark.parametrize("integrator", RBFPaths.integrators)
@pytest.mark.parametrize("steps", [1, 3, 10])
def test_a_long_amount_is_a_chain_of_steps(integrator, steps):
    paths, (z, k, eps) = build(integrator=integrator), inputs(amount=0.25 * steps)
    chained = z
    for _ in range(steps):
        chained = paths.shift(chained, k, eps / steps)
    torch.testing.assert_close(paths.shift(z, k, eps), chained, rtol=0, atol=1e-12)


def test_a_step_of_euler_is_along_the_direction():
    paths, (z, k, eps) = build(), inputs(amount=0.2)
    torch.testing.assert_close(paths.shift(z, k, eps), z + eps[:, None] * paths.direction(z, k))


def test_both_integrators_converge_to_the_same_curve():
    z, k, eps = inputs()
    fine = build(step=1e-3).shift(z, k, eps)

    def error(integrator: str, step: float) -> float:
        return (build(step=step, integrator=integrator).shift(z, k, eps) - fine).abs().max().item()

    assert error("rk4", 0.05) < 1e-3 < error("euler", 0.25)
    assert error("euler", 0.02) < error("euler", 0.25) / 5


@pytest.mark.parametrize("learn_gammas", [True, False])
def test_number_of_parameters(learn_gammas):
    with torch.device("meta"):
        paths = RBFPaths(128, 64, num_dipoles=128, learn_gammas=learn_gammas)
    assert sum(p.numel() for p in paths.parameters()) == 2_097_216
    assert paths.log_gammas.requires_grad == learn_gammas
