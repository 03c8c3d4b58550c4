"""Straight paths."""

from __future__ import annotations

import pytest
import torch

from latent_lab.paths.linear import LinearPaths


@pytest.mark.parametrize("num_paths", [1, 5, 12])
def test_orthogonal_columns_are_orthonormal(num_paths, rng):
    matrix = LinearPaths(12, num_paths, init=3.0, rng=rng).double().matrix()
    assert matrix.shape == (12, num_paths)
    torch.testing.assert_close(matrix.mT @ matrix, torch.eye(num_paths, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("num_paths, init", [(3, 0.0), (3, 1.0), (12, 0.0), (20, 1.0)])
def test_projective_columns_have_unit_length(num_paths, init, rng):
    """Also for more paths than coordinates."""
    matrix = LinearPaths(12, num_paths, "projective", init, rng).double().matrix()
    torch.testing.assert_close(matrix.square().sum(0), torch.ones(num_paths, dtype=torch.float64), rtol=0, atol=1e-12)


def test_columns_without_a_direction_are_refused(rng):
    """More paths than coordinates, and no noise to tell the others apart: columns of zeros."""
    with pytest.raises(ValueError, match="init must be above 0 .* got 0"):
        LinearPaths(4, 6, "projective", init=0.0, rng=rng)


@pytest.mark.parametrize("kind", LinearPaths.kinds)
def test_a_shift_follows_the_column_of_its_path(kind, rng):
    paths = LinearPaths(6, 4, kind, rng=rng).double()
    z, k, eps = (
        torch.randn(5, 6, generator=rng).double(),
        torch.tensor([3, 0, 1, 3, 2]),
        torch.tensor([0.5, -2.0, 1.0, 3.0, -0.1]).double(),
    )
    expected = torch.stack([z[i] + eps[i] * paths.matrix()[:, k[i]] for i in range(5)])
    torch.testing.assert_close(paths.shift(z, k, eps), expected)


def test_free_columns_are_not_rescaled(rng):
    paths = LinearPaths(6, 4, "free", rng=rng)
    assert torch.equal(paths.matrix(), paths.weight)
