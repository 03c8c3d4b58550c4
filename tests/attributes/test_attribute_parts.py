"""What every predictor shares: differences of angles, several side by side, some of one."""

from __future__ import annotations

import pytest
import torch

from latent_lab.attributes.base import Attributes, Selection, Together
from latent_lab.attributes.digits import DigitAttributes
from latent_lab.attributes.factors import TrueFactors
from latent_lab.gans.shapes import Shapes


class Pixels(Attributes):
    """The first pixels of an image, as they are; the second of them is an angle."""

    periods = (0.0, 360.0, 0.0)
    units, ranges = ("a", "degrees", "c"), ((0.0, 1.0), (-180.0, 180.0), (0.0, 3.0))

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :3]


@pytest.fixture
def images(rng) -> torch.Tensor:
    return torch.randn(5, 1, 8, 8, generator=rng)


@pytest.mark.parametrize(
    "before, after, expected",
    [(10, 30, 20), (30, 10, -20), (170, -170, 20), (-170, 170, -20), (0, 359, -1), (0, 725, 5), (0, 0, 0)],
)
def test_an_angle_changes_the_short_way_round(before, after, expected):
    change = Pixels("a", "b", "c").change(torch.tensor([[1.0, before, 1]]), torch.tensor([[500.0, after, -500]]))
    assert change[0, 1] == expected
    assert change[0, [0, 2]].tolist() == [499, -501]


def test_the_change_of_an_angle_leads_to_the_end_up_to_turns_and_is_never_longer_than_half_of_one(rng):
    before, after = 1000 * torch.randn(2, 200, 3, generator=rng).double()
    change = Pixels("a", "b", "c").change(before, after)
    assert change[:, 1].abs().max() <= 180
    turns = (before + change - after)[:, 1] / 360
    torch.testing.assert_close(turns, turns.round(), atol=1e-9, rtol=0)
    torch.testing.assert_close(change[:, [0, 2]], (after - before)[:, [0, 2]])


def test_without_angles_a_change_is_a_difference(images):
    before, after = DigitAttributes()(images), DigitAttributes()(images.flip(0))
    assert torch.equal(DigitAttributes().change(before, after), after - before)


def test_predictors_stand_side_by_side(images):
    together = Together([DigitAttributes(), Pixels("a", "b", "c")])
    assert together.names == (*DigitAttributes.names, "a", "b", "c")
    assert together.units == (*DigitAttributes.units, "a", "degrees", "c")
    assert together.ranges == (*DigitAttributes().ranges, *Pixels.ranges)
    assert together.periods == (0.0,) * 7 + (0.0, 360.0, 0.0)
    values = together(images)
    assert torch.equal(values, torch.cat([DigitAttributes()(images), images.flatten(1)[:, :3]], 1))
    shift = torch.zeros(5, 10)
    shift[:, 8] = 359
    torch.testing.assert_close(together.change(values, values + shift), -shift / 359, atol=1e-4, rtol=0)


def test_each_part_measures_what_it_reads(rng):
    space = Shapes().space()
    codes = space.sample(3, rng)
    together = Together([TrueFactors(), Pixels("a", "b", "c")])
    images = space.decode(codes)
    expected = torch.cat([space.generator.factors(codes.latents), images.flatten(1)[:, :3]], 1)
    assert torch.equal(together.measure(space, codes, images), expected)


def test_a_name_may_not_occur_twice():
    with pytest.raises(ValueError, match=r"parts must have different names, got \['b', 'c'\] twice"):
        Together([Pixels("a", "b", "c"), Pixels("c", "b", "d")])


def test_a_selection_has_the_order_of_its_names(images):
    selection = Selection(Pixels("a", "b", "c"), ["c", "b"])
    assert (selection.names, selection.units, selection.periods) == (("c", "b"), ("c", "degrees"), (0.0, 360.0))
    assert selection.ranges == ((0.0, 3.0), (-180.0, 180.0))
    assert torch.equal(selection(images), images.flatten(1)[:, [2, 1]])
    assert selection.change(torch.tensor([[0.0, -179]]), torch.tensor([[400.0, 179]])).tolist() == [[400, -2]]


def test_a_part_that_nobody_asks_for_is_not_computed(images, monkeypatch):
    asked, other = Pixels("a", "b", "c"), Pixels("d", "e", "f")
    monkeypatch.setattr(other, "forward", None)
    selection = Selection(Together([other, asked]), ["b", "a"])
    assert torch.equal(selection(images), images.flatten(1)[:, [1, 0]]) and selection.periods == (360.0, 0.0)


def test_a_selection_measures_with_the_codes(rng):
    space = Shapes().space()
    codes = space.sample(3, rng)
    selection = Selection(TrueFactors(), ["size", "x"])
    expected = space.generator.factors(codes.latents)[:, [5, 0]]
    assert torch.equal(selection.measure(space, codes, space.decode(codes)), expected)


@pytest.mark.parametrize("names", [["a", "z"], [], ["a", "a"]])
def test_a_selection_needs_different_names_that_are_there(names):
    with pytest.raises(ValueError, match=r"attributes must be different names among \['a', 'b', 'c'\], got") as error:
        Selection(Pixels("a", "b", "c"), names)
    assert "\n" not in str(error.value)
