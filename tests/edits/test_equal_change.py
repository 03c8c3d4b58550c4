"""Amounts that change an attribute by the same, latent by latent."""

from __future__ import annotations

import pytest
import torch

from latent_lab.edits.equal_change import NOT_FOUND, NOT_MEASURED, OUTSIDE, REACHED, EqualChange, Wanted
from latent_lab.edits.lengths import find_amounts, find_scales, realised_length
from latent_lab.edits.moves import Moves
from tests.evaluation.planted import DIM, Coordinates, Reader, Straight, axes, axis

CHANGES = torch.tensor([-0.5, 0.5, 1.0])


class Tanh(Straight):
    """The path bends: a coordinate comes nearer and nearer to a wall at 1 from where it starts."""

    def _shift(self, latents, k, eps):
        return latents + torch.tanh(eps)[:, None] * self.directions[k]


def search(paths, codes, wanted, shell=(0.0, 100.0), reader=None, **rules):
    space, attributes = Coordinates().space(), reader or Reader()
    before = attributes.measure(space, codes, None)
    scales = find_scales(space, paths, codes, 2.0)
    every = EqualChange(CHANGES, torch.ones(6), torch.tensor([0, 1]), 2.0, scales, shell, **rules)
    asked = torch.ones(len(codes), len(wanted.paths), len(CHANGES), dtype=torch.bool)
    return every.search(space, paths, attributes, codes, before, wanted, asked)


@pytest.fixture
def codes(rng):
    return Coordinates().space().sample(16, rng)


def wanted(*rows: tuple[int, int, int]) -> Wanted:
    return Wanted(*torch.tensor(rows).unbind(1))


def test_a_straight_path_changes_each_latent_by_the_wanted_change(codes):
    found = search(Straight(axes(), scale=0.01), codes, wanted((0, 0, 1), (1, 1, 1)))
    assert (found.outcome == REACHED).all()
    torch.testing.assert_close(found.amounts, (100 * CHANGES).expand(16, 2, 3), atol=2.1, rtol=0)
    change = found.attributes[:, 0, :, 0] - codes.latents[:, :1]
    assert ((change - CHANGES).abs() <= 0.0201).all()


def test_only_amounts_of_the_paths_sign_are_searched(codes):
    found = search(Straight(axes()), codes, wanted((0, 0, -1)))
    assert (found.outcome == NOT_FOUND).all() and found.amounts.isnan().all()


def test_the_realised_length_bounds_the_search(codes):
    slow = axes() * 0.2 + axis(6)  # 1 deviation of the attribute is a length of 5
    found = search(Straight(slow), codes, wanted((0, 0, 1)))
    assert (found.outcome[..., :2] == REACHED).all() and (found.outcome[..., 2] == NOT_FOUND).all()


def test_a_path_that_saturates_reaches_what_it_can(codes):
    found = search(Tanh(axes()), codes, wanted((0, 0, 1)))
    assert (found.outcome[..., :2] == REACHED).all()
    torch.testing.assert_close(found.amounts[:, 0, 1], torch.full((16,), 0.5).atanh(), atol=0.03, rtol=0)
    assert (found.outcome[..., 2] == REACHED).all()  # within the tolerance of its wall


def test_what_lies_outside_the_prior_is_said(codes):
    radius = torch.linalg.vector_norm(codes.latents, dim=1)
    found = search(Straight(axes()), codes, wanted((0, 0, 1)), shell=(0.0, radius.max().item() * 1e-3))
    assert (found.outcome == OUTSIDE).all()


def test_an_image_that_cannot_be_measured_ends_the_search(codes):
    class Blind(Reader):
        def measure(self, space, codes, images):
            found = super().measure(space, codes, images)
            found[:, 1] = torch.where(codes.latents[:, 0] > 0, torch.nan, found[:, 1])
            return found

    found = search(Straight(axes()), codes, wanted((0, 0, 1)), reader=Blind())
    left = codes.latents[:, 0] < -1.1
    right = codes.latents[:, 0] > 0.6
    assert (found.outcome[left] == REACHED).all() and (found.outcome[right] == NOT_MEASURED).all()


def test_rows_do_not_depend_on_each_other(codes):
    paths, asked = Tanh(axes()), wanted((0, 0, 1), (2, 2, 1))
    whole = search(paths, codes, asked)
    parts = [search(paths, codes.select(slice(i, i + 4)), asked) for i in range(0, 16, 4)]
    for name in ("amounts", "attributes", "outcome"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in parts])), name


def test_it_is_exact_enough_in_few_images(codes):
    """A steep and curved response: the false position closes in within the images that are allowed."""

    class Steep(Straight):
        def _shift(self, latents, k, eps):
            return latents + (eps.sign() * (eps.abs().exp() - 1))[:, None] * self.directions[k]

    found = search(Steep(axes()), codes, wanted((0, 0, 1)))
    assert (found.outcome == REACHED).all()


@pytest.mark.parametrize("factor", [1e-4, 0.3, 1.0, 5e3])
def test_amounts_are_found_whatever_their_scale(codes, factor):
    space, paths = Coordinates().space(), Straight(torch.stack([axis(0), 3 * axis(1)]), scale=factor)
    scales = find_scales(space, paths, codes, 2.0)
    lengths = scales * factor * torch.tensor([1.0, 3.0])
    assert ((lengths > 1) & (lengths <= 2)).all() and torch.equal(scales.log2(), scales.log2().round())
    k = torch.tensor([0, 1]).repeat(8)
    moves = Moves(codes, k, scales[k])
    amounts = find_amounts(space, paths, moves, torch.full((16,), 2.0))
    torch.testing.assert_close(
        realised_length(space, paths, moves._replace(eps=amounts)), torch.full((16,), 2.0), rtol=1e-3, atol=0
    )


def test_a_path_that_moves_nothing_has_no_scale(codes):
    scales = find_scales(Coordinates().space(), Straight(torch.stack([torch.zeros(DIM), axis(1)])), codes, 2.0)
    assert scales.isnan().tolist() == [True, False]


def test_a_path_that_gets_no_longer_stops_there(codes):
    scales = find_scales(Coordinates().space(), Tanh(axes()), codes, 5.0)
    assert (scales <= 8).all()
