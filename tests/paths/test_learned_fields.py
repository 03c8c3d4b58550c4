"""Paths that are flows of learned fields: speed, the way back, and gradients against automatic differentiation."""

from __future__ import annotations

import torch

from latent_lab.paths.neural_ode import NeuralODEPaths
from latent_lab.paths.potential import PotentialPaths

D, K, N = 6, 3, 5


def latents() -> torch.Tensor:
    return torch.randn(N, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_neural_ode_has_unit_speed_and_a_way_back():
    paths, z, k = NeuralODEPaths(D, K, depth=2, step=0.1, rng=rng()).double(), latents(), torch.arange(N) % K
    small = torch.full((N,), 1e-4, dtype=torch.float64)
    assert torch.allclose(
        (paths.shift(z, k, small) - z).norm(dim=1) / 1e-4, torch.ones(N, dtype=torch.float64), atol=1e-4
    )
    there = paths.shift(z, k, 3 + 0 * small)
    assert (there - z).norm(dim=1).max() <= 3 + 1e-6
    torch.testing.assert_close(paths.shift(there, k, -3 + 0 * small), z, rtol=0, atol=1e-4)


def test_one_layer_of_a_neural_ode_is_an_affine_field():
    paths, z, k = NeuralODEPaths(D, K, rng=rng()).double(), latents(), torch.arange(N) % K
    field = torch.einsum("nij,nj->ni", paths.weights[k, 0] + torch.eye(D), z) + paths.biases[k, 0]
    small = torch.full((N,), 1e-6, dtype=torch.float64)
    torch.testing.assert_close(
        (paths.shift(z, k, small) - z) / 1e-6, field / field.norm(dim=1, keepdim=True), rtol=0, atol=1e-5
    )


def test_the_gradient_of_a_potential_is_its_gradient():
    for bounded in (True, False):
        paths = PotentialPaths(D, K, times=4, bounded=bounded, rng=rng()).double()
        z, k, t = latents().requires_grad_(), torch.arange(N) % K, torch.linspace(0, 3, N, dtype=torch.float64)
        value, gradient = paths.potentials(k)(z, t)
        torch.testing.assert_close(gradient, torch.autograd.grad(value.sum(), z)[0])
        assert value.abs().max() < 1 or not bounded


def test_a_unit_of_a_potential_flow_is_one_of_the_papers_steps():
    paths, k = PotentialPaths(D, K, times=2, rng=rng()).double(), torch.arange(N) % K
    z = start = latents()
    for t in (0.0, 1.0, 1.0):  # after the last trained time the potential stands still
        z = z + paths.potentials(k)(z, torch.full((N,), t, dtype=torch.float64))[1]
    torch.testing.assert_close(paths.shift(start, k, torch.full((N,), 3.0, dtype=torch.float64)), z)
    half = start - 0.5 * paths.potentials(k)(start, torch.zeros(N, dtype=torch.float64))[1]
    torch.testing.assert_close(paths.shift(start, k, torch.full((N,), -0.5, dtype=torch.float64)), half)
