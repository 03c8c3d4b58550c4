"""The error of exchanging two edits, by hand."""

from __future__ import annotations

import pytest
import torch

from latent_lab.edits.views import View
from latent_lab.metrics.commutativity import CommutativityError, commutativity_error


def view(*rows: tuple[float, ...]) -> View:
    """The same numbers as latents, as an image of two pixels and as attributes."""
    values = torch.tensor(rows, dtype=torch.float32)
    return View(values, values.reshape(len(rows), 1, 1, 2), values)


ORIGINAL = view((0, 0), (1, 1))
SWAP = {"": ORIGINAL, "kl": view((3, 4), (1, 3)), "lk": view((3, 3), (1, 2))}
RETURN = {"": ORIGINAL, "kl": view((3, 4), (1, 3)), "klKL": view((0.3, 0.4), (1, 2))}


def test_the_function_by_hand():
    one, other, original = (SWAP[name].latents for name in ("kl", "lk", ""))
    torch.testing.assert_close(commutativity_error(one, other, original), torch.tensor([1 / 5, 1 / 2]))
    torch.testing.assert_close(commutativity_error(one, other), torch.tensor([0.5, 0.5]))


def test_edits_that_do_nothing_have_no_error():
    z = torch.randn(3, 4)
    assert torch.equal(commutativity_error(z, z, z), torch.zeros(3))


@pytest.mark.parametrize(
    "level, form, views, expected",
    [
        ("latents", "swap", SWAP, [0.2, 0.5]),
        ("images", "swap", SWAP, [0.5, 0.5]),
        ("attributes", "swap", SWAP, [[0, 1], [0, 1]]),
        ("latents", "return", RETURN, [0.1, 0.5]),
        ("images", "return", RETURN, [0.35, 0.5]),
        ("attributes", "return", RETURN, [[0.3, 0.4], [0, 1]]),
    ],
)
def test_each_level_and_form_by_hand(level, form, views, expected):
    metric = CommutativityError(level, form)
    assert set(metric.sequences) | {""} == set(views)
    metric.update(views, pair=None)
    expected = torch.tensor(expected, dtype=torch.float32)
    torch.testing.assert_close(metric.values(), expected)
    torch.testing.assert_close(metric.compute(), expected.mean())


def short_way(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """The first number is an angle in degrees."""
    difference = after - before
    difference[:, 0] = (difference[:, 0] + 180) % 360 - 180
    return difference


@pytest.mark.parametrize("form, one, two", [("swap", "kl", "lk"), ("return", "", "klKL")])
@pytest.mark.parametrize("difference, expected", [(short_way, [[2, 5], [90, 0]]), (None, [[358, 5], [270, 0]])])
def test_the_difference_of_attributes_may_be_an_angles(form, one, two, difference, expected):
    metric = CommutativityError("attributes", form, difference)
    views = {name: view((7, 7), (7, 7)) for name in ("", "kl", "klKL")}
    metric.update(views | {one: view((-179, 1), (-90, 3)), two: view((179, -4), (180, 3))}, pair=None)
    assert metric.values().tolist() == expected


def test_the_difference_is_the_second_result_minus_the_first():
    seen = []
    for form, expected in (("swap", ["kl", "lk"]), ("return", ["", "klKL"])):
        views = {name: view((i, i)) for i, name in enumerate(("", "kl", "lk", "klKL"))}
        CommutativityError("attributes", form, lambda *pair: seen.append(pair) or pair[0]).update(views, pair=None)
        assert [tensor is views[name].attributes for tensor, name in zip(seen.pop(), expected)] == [True, True]


@pytest.mark.parametrize("level", ["latents", "images"])
def test_only_attributes_take_a_difference_of_their_own(level):
    metric = CommutativityError(level, "swap", difference=lambda one, two: 1 / 0)
    metric.update(SWAP, pair=None)
    assert metric.values().shape == (2,)


@pytest.mark.parametrize("level", CommutativityError.levels)
@pytest.mark.parametrize("form", CommutativityError.forms)
def test_states_of_two_ranks_merge(level, form, rng):
    def views(num: int) -> dict[str, View]:
        return {name: view(*torch.randn(num, 2, generator=rng).tolist()) for name in ("", "kl", "lk", "klKL")}

    batches = [views(3), views(4), views(1)]  # ranks of different sizes
    whole, first, second = (CommutativityError(level, form) for _ in range(3))
    for metric, part in ((whole, batches), (first, batches[:2]), (second, batches[2:])):
        for batch in part:
            metric.update(batch, pair=None)
    first.merge_state(second)
    assert len(first.values()) == 8
    torch.testing.assert_close(first.compute(), whole.compute())


@pytest.mark.parametrize(
    "name, allowed", [("level", r"\('latents', 'images', 'attributes'\)"), ("form", r"\('swap', 'return'\)")]
)
def test_errors_name_the_allowed_values(name, allowed):
    with pytest.raises(ValueError, match=f"{name} must be one of {allowed}, got 'both'"):
        CommutativityError(**{name: "both"})
