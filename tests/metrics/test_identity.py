"""The error of the identity, by hand."""

from __future__ import annotations

import pytest
import torch

from latent_lab.metrics.identity import identity_error


@pytest.mark.parametrize(
    "before, after, expected",
    [
        ((1, 0), (3, 0), 0.0),  # length does not count
        ((1, 0), (0, 2), 1.0),
        ((1, 0), (-1, 0), 2.0),
        ((1, 0), (1, 1), 1 - 0.5**0.5),
        ((3, 4), (4, 3), 1 - 24 / 25),
        ((0, 0), (1, 0), 1.0),
    ],
)
def test_the_function_by_hand(before, after, expected):
    error = identity_error(torch.tensor(before, dtype=torch.float32), torch.tensor(after, dtype=torch.float32))
    assert error.item() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_embeddings_have_an_error_of_exactly_0(dtype, rng):
    embeddings = torch.randn(50, 3, 17, generator=rng, dtype=dtype)
    embeddings[0] = 0
    error = identity_error(embeddings, embeddings.clone())
    assert error.dtype == dtype and torch.equal(error, torch.zeros(50, 3, dtype=dtype))


def test_a_difference_as_small_as_rounding_is_measured_in_float64(rng):
    before = torch.randn(200, 64, generator=rng)
    after = before + 1e-4 * torch.randn(200, 64, generator=rng)
    error = identity_error(before, after)
    exact = 1 - torch.nn.functional.cosine_similarity(before.double(), after.double())
    assert error.dtype == torch.float32
    torch.testing.assert_close(error, exact.float())
    assert (error > 0).all()


def test_edits_of_several_paths_are_measured_each_for_itself(rng):
    before, after = torch.randn(4, 3, 5, generator=rng), torch.randn(4, 3, 5, generator=rng)
    errors = identity_error(before, after)
    assert errors.shape == (4, 3)
    torch.testing.assert_close(errors[2, 1], identity_error(before[2, 1], after[2, 1]))
