"""Calibrated paths: the model and its inverse, additive amounts, and what is saved."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from latent_lab.checkpoints import native
from latent_lab.paths.calibrated import CalibratedPaths

D, K, N = 6, 3, 30


@pytest.fixture
def paths(rng) -> CalibratedPaths:
    paths = CalibratedPaths(D, K, extent=2.0, knots=10, rng=rng).double()
    paths.log_slopes.data += torch.randn(K, 10, generator=rng, dtype=torch.float64)
    paths.centre += 0.3
    return paths


@pytest.fixture
def edits(rng) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Projections and amounts that reach beyond the knots on both sides."""
    return 2 * torch.randn(N, D, generator=rng).double(), torch.arange(N) % K, torch.linspace(-6, 6, N).double()


def test_the_model_is_interpolation_between_knots(paths):
    inside = torch.linspace(-2, 2, 41, dtype=torch.float64)
    for k in range(K):
        values = np.concatenate([[0], np.cumsum(0.4 * paths.log_slopes[k].exp().detach().numpy())])
        expected = np.interp(inside.numpy(), np.linspace(-2, 2, 11), values)
        torch.testing.assert_close(paths.model(inside, torch.full((41,), k)), torch.from_numpy(expected))


def test_the_inverse_is_the_inverse_also_beyond_the_knots(paths):
    projections = torch.linspace(-9, 9, 50, dtype=torch.float64)
    for k in range(K):
        index = torch.full((50,), k)
        values = paths.model(projections, index)
        assert (values.diff() > 0).all()
        torch.testing.assert_close(paths.inverse(values, index), projections)


def test_an_amount_is_the_change_of_the_factor(paths, edits):
    z, k, eps = edits
    moved = paths.shift(z, k, eps)

    def factor(latents: torch.Tensor) -> torch.Tensor:
        return paths.model(((latents - paths.centre) * paths.directions()[k]).sum(1), k)

    torch.testing.assert_close(factor(moved) - factor(z), eps)
    across = (moved - z) - ((moved - z) * paths.directions()[k]).sum(1, keepdim=True) * paths.directions()[k]
    assert across.abs().max() < 1e-12


def test_amounts_add_up_and_go_back(paths, edits):
    z, k, eps = edits
    torch.testing.assert_close(paths.shift(paths.shift(z, k, eps), k, 0.5 * eps), paths.shift(z, k, 1.5 * eps))
    torch.testing.assert_close(paths.shift(paths.shift(z, k, eps), k, -eps), z)


def test_amount_of_zero_returns_the_latents_exactly(paths, edits):
    z, k, eps = edits
    assert torch.equal(paths.shift(z, k, 0 * eps), z)


def test_gradients_are_those_of_differences(paths, edits):
    z, k, eps = edits
    eps = eps.requires_grad_()
    (speed,) = torch.autograd.grad(paths.shift(z, k, eps).sum(), eps)
    secant = (paths.shift(z, k, eps + 1e-6) - paths.shift(z, k, eps - 1e-6)).sum(1) / 2e-6
    torch.testing.assert_close(speed, secant, rtol=1e-5, atol=1e-5)


def test_config_and_tensors_rebuild_the_paths(paths, edits, tmp_path):
    paths, (z, k, eps) = paths.float(), (part.float() if part.is_floating_point() else part for part in edits)
    file = tmp_path / "paths.safetensors"
    file.write_bytes(native.to_bytes(paths.state_dict(), {"config": paths.config}))
    tensors, metadata = native.read(file)
    again = CalibratedPaths(**metadata["config"])
    native.load_into(again, tensors, file)
    assert torch.equal(again.shift(z, k, eps), paths.shift(z, k, eps))


def test_errors_are_one_line():
    with pytest.raises(
        ValueError, match="extent and slope must be above 0, knots at least 1, got 0.0, 1.0 and 100"
    ) as error:
        CalibratedPaths(D, K, extent=0.0)
    assert "\n" not in str(error.value)
