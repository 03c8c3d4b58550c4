"""Sequences of edits and the images of them."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import chisquare

from latent_lab.attributes.classifier import ClassifierIdentity
from latent_lab.attributes.digits import DigitAttributes
from latent_lab.attributes.factors import FactorIdentity, TrueFactors
from latent_lab.edits.lengths import find_amounts
from latent_lab.edits.moves import Moves, draw_moves
from latent_lab.edits.views import (
    Pair,
    apply_sequence,
    measure_in_batches,
    pair_with_others,
    view,
    view_in_batches,
    view_sequences,
)
from latent_lab.gans.codes import Codes
from latent_lab.gans.shapes import Shapes
from latent_lab.paths.curvilinear import CurvilinearPaths
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.rbf import RBFPaths

K, N = 5, 6


@pytest.fixture
def moves(space, rng) -> Moves:
    return draw_moves(space, N, K, (0.5, 2.0), rng)


@pytest.fixture
def pair(moves) -> Pair:
    return Pair(moves.k, (moves.k + 1) % K, moves.eps, 0.7 * moves.eps.flip(0))


@pytest.fixture
def linear(rng) -> LinearPaths:
    return LinearPaths(16, K, "free", rng=rng)


def test_letters_are_edits_in_their_order(moves, pair):
    paths = RBFPaths(16, K, num_dipoles=4, rng=torch.Generator().manual_seed(0))
    z, (k, l, eps_k, eps_l) = moves.codes.latents, pair
    by_hand = {
        "": z,
        "k": paths.shift(z, k, eps_k),
        "kl": paths.shift(paths.shift(z, k, eps_k), l, eps_l),
        "lk": paths.shift(paths.shift(z, l, eps_l), k, eps_k),
        "lK": paths.shift(paths.shift(z, l, eps_l), k, -eps_k),
        "LL": paths.shift(paths.shift(z, l, -eps_l), l, -eps_l),
    }
    for sequence, expected in by_hand.items():
        assert torch.equal(apply_sequence(paths, moves, pair, sequence), expected), sequence


@pytest.mark.parametrize("sequence", ["kK", "klLK", "klKL", "lkLK"])
def test_undoing_returns_where_edits_commute(sequence, moves, pair, linear):
    torch.testing.assert_close(apply_sequence(linear, moves, pair, sequence), moves.codes.latents)


def test_undoing_in_the_order_of_the_edits_does_not_return_on_rbf_paths(moves, pair):
    paths = RBFPaths(16, K, num_dipoles=4, integrator="rk4", rng=torch.Generator().manual_seed(0))
    error = {s: (apply_sequence(paths, moves, pair, s) - moves.codes.latents).abs().max() for s in ("klLK", "klKL")}
    assert error["klLK"] < 1e-3 < 1e-2 < error["klKL"]


@pytest.mark.parametrize("num_paths", [2, 3, 9])
def test_the_other_path_is_another_one_uniformly(num_paths, rng):
    k = torch.randint(num_paths, (9000,), generator=rng)
    moves = Moves(Codes(torch.zeros(9000, 1)), k, torch.ones(9000))
    pair = pair_with_others(moves, num_paths, rng)
    assert (pair.l != pair.k).all() and 0 <= pair.l.min() and pair.l.max() < num_paths
    assert torch.equal(pair.k, k) and torch.equal(pair.eps_l, pair.eps_k)
    if num_paths > 2:
        offsets = torch.bincount((pair.l - pair.k) % num_paths, minlength=num_paths)[1:]
        assert chisquare(offsets.numpy()).pvalue > 0.01


def test_a_single_path_is_paired_with_itself(rng):
    moves = Moves(Codes(torch.zeros(4, 1)), torch.zeros(4, dtype=torch.long), torch.ones(4))
    assert torch.equal(pair_with_others(moves, 1, rng).l, torch.zeros(4, dtype=torch.long))


def test_views_hold_latents_images_and_attributes(space, moves, pair, linear):
    views = view_sequences(space, linear, moves, pair, ["kl", "k", "kl"], DigitAttributes())
    assert set(views) == {"", "k", "kl"}
    assert torch.equal(views[""].latents, moves.codes.latents)
    for sequence, seen in views.items():
        latents = apply_sequence(linear, moves, pair, sequence)
        assert torch.equal(seen.latents, latents)
        assert torch.equal(seen.images, space.decode(moves.codes.moved(latents)))
        assert torch.equal(seen.attributes, DigitAttributes()(seen.images))
        assert not seen.images.requires_grad


def test_a_view_holds_what_is_asked_for(space, moves):
    plain = view(space, moves.codes)
    assert plain.attributes is None and plain.identity is None
    whole = view(space, moves.codes, DigitAttributes(), ClassifierIdentity("mnist_classifier"))
    assert torch.equal(whole.latents, moves.codes.latents) and torch.equal(whole.images, plain.images)
    assert torch.equal(whole.attributes, DigitAttributes()(plain.images))
    assert torch.equal(whole.identity, ClassifierIdentity("mnist_classifier")(plain.images))


def test_a_view_decodes_once_and_its_measures_may_read_the_codes(monkeypatch, rng):
    space, decoded = Shapes(resolution=8).space(), []
    codes, decode = space.sample(N, rng), space.decode
    monkeypatch.setattr(space, "decode", lambda codes: decoded.append(codes) or decode(codes))
    found = view(space, codes, TrueFactors(), FactorIdentity())
    assert len(decoded) == 1 and not found.images.requires_grad
    assert torch.equal(found.attributes, space.generator.factors(codes.latents)) and found.identity.shape == (N, 4)


def test_each_sequence_is_decoded_once(space, moves, pair, linear, monkeypatch):
    decoded, decode = [], space.decode
    monkeypatch.setattr(space, "decode", lambda codes: decoded.append(len(codes)) or decode(codes))
    view_sequences(space, linear, moves, pair, ["kl", "k", "kl", ""])
    assert decoded == [N] * 3


@pytest.mark.parametrize("name", ["space", "sphere"])
@pytest.mark.parametrize("kind", ["free", "curvilinear", "rbf"])
def test_amounts_reach_a_length_as_the_generator_sees_it(kind, name, moves, rng, request):
    space = request.getfixturevalue(name)
    paths = {
        "free": LinearPaths(16, K, "free", rng=rng),
        "curvilinear": CurvilinearPaths(16, K, rng=rng),
        "rbf": RBFPaths(16, K, rng=rng),
    }[kind]
    length = torch.linspace(0.3, 1.5, N)
    eps = find_amounts(space, paths, moves, length)
    after = paths.shift(moves.codes.latents, moves.k, eps)
    realised = (space.visible(after) - space.visible(moves.codes.latents)).norm(dim=1)
    torch.testing.assert_close(realised, length, rtol=0.05, atol=0)
    assert torch.equal(eps.sign(), moves.eps.sign())


def test_views_without_images_or_measurements(space, rng):
    codes = space.sample(5, rng)
    whole = view_in_batches(space, codes, DigitAttributes(), None, 2)
    bare = view_in_batches(space, codes, DigitAttributes(), None, 2, keep_images=False)
    assert bare.images.shape == (5, 0, *whole.images.shape[2:]) and torch.equal(bare.attributes, whole.attributes)
    assert torch.equal(measure_in_batches(space, codes, DigitAttributes(), 2), whole.require_attributes())
    assert torch.equal(whole.repeat_interleave(2).latents[1::2], codes.latents)
    with pytest.raises(ValueError, match="the identity of this view was not measured"):
        whole.require_identity()
    with pytest.raises(ValueError, match="attributes of this view were not measured"):
        view(space, codes).require_attributes()
