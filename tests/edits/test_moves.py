"""The stream of random numbers, and the distribution of the moves."""

from __future__ import annotations

import itertools

import pytest
import torch
from scipy.stats import chisquare, kstest, pearsonr

from latent_lab.edits.moves import draw_moves
from latent_lab.ops.streams import EVALUATION, INITIAL, POOL, TRAINING, VALIDATION, stream

NUM, SMALLEST, LARGEST = 20_000, 0.5, 3.0


@pytest.fixture
def moves(sphere, rng):
    return draw_moves(sphere, NUM, 7, (SMALLEST, LARGEST), rng)


def draw(*arguments: int) -> tuple[float, ...]:
    return tuple(torch.rand(4, generator=stream(*arguments)).tolist())


def test_a_stream_is_a_function_of_its_arguments():
    assert draw(3, 1, 5, VALIDATION) == draw(3, 1, 5, VALIDATION)
    assert draw(3, 1, 5) == draw(3, 1, 5, TRAINING)


def test_streams_differ_by_seed_rank_step_and_purpose():
    arguments = list(itertools.product(range(4), range(4), range(6), (TRAINING, VALIDATION, EVALUATION, INITIAL, POOL)))
    assert len({draw(*a) for a in arguments}) == len(arguments)
    assert draw(0, 1, 0) != draw(1, 0, 0)


@pytest.mark.parametrize("sign", [-1, 1])
def test_magnitudes_are_uniform_on_both_sides(moves, sign):
    magnitude = (sign * moves.eps)[sign * moves.eps > 0].double()
    assert SMALLEST <= magnitude.min() and magnitude.max() <= LARGEST
    assert kstest(magnitude.numpy(), "uniform", (SMALLEST, LARGEST - SMALLEST)).pvalue > 0.01
    bins = torch.histc(magnitude, 50, SMALLEST, LARGEST)  # no dead mass at an end: the bins there are like the others
    assert chisquare(bins.numpy()).pvalue > 0.01
    assert magnitude.unique().numel() > 0.99 * magnitude.numel()


def test_signs_and_paths_are_fair_and_independent(moves):
    sign = (moves.eps > 0).long()
    table = torch.bincount(2 * moves.k + sign, minlength=14)
    assert table.numel() == 14 and chisquare(table.numpy()).pvalue > 0.01
    assert pearsonr(sign.numpy(), moves.eps.abs().numpy()).pvalue > 0.01
    assert pearsonr(moves.k.numpy(), moves.eps.numpy()).pvalue > 0.01


def test_shapes_and_types(moves):
    assert moves.codes.latents.shape == (NUM, 16)
    assert moves.k.shape == moves.eps.shape == (NUM,)
    assert (moves.k.dtype, moves.eps.dtype) == (torch.int64, torch.float32)


def test_moves_are_a_function_of_the_random_numbers(sphere):
    one, same, other = (draw_moves(sphere, 8, 5, (1.0, 2.0), stream(0, 0, step)) for step in (1, 1, 2))
    for a, b, c in zip(
        (one.codes.latents, one.k, one.eps),
        (same.codes.latents, same.k, same.eps),
        (other.codes.latents, other.k, other.eps),
    ):
        assert torch.equal(a, b) and not torch.equal(a, c)


def test_a_single_amount_is_allowed(sphere, rng):
    assert torch.equal(draw_moves(sphere, 8, 5, (2.0, 2.0), rng).eps.abs(), torch.full((8,), 2.0))
