"""Attributes and identity of a generator that knows its factors."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from latent_lab.attributes.factors import FactorIdentity, TrueFactors, read_factors
from latent_lab.gans.shapes import Shapes
from latent_lab.metrics.identity import identity_error


@pytest.fixture
def space():
    return Shapes().space()


def codes_of(space, factors: torch.Tensor):
    return space.sample(len(factors), torch.Generator()).moved(space.generator.latents(factors))


def test_true_factors_are_the_generators(space, rng):
    codes = space.sample(5, rng)
    expected = space.generator.factors(codes.latents)
    assert torch.equal(read_factors(space, codes), expected)
    assert torch.equal(TrueFactors().measure(space, codes, None), expected)


def test_an_image_alone_does_not_tell_them(space, rng):
    with pytest.raises(ValueError, match="true factors are read from codes, not from images"):
        TrueFactors()(space.decode(space.sample(1, rng)))


def test_each_factor_has_a_name_a_unit_and_no_bounds():
    attributes = TrueFactors()
    assert attributes.names == Shapes.factor_names
    assert {len(field) for field in (attributes.units, attributes.ranges, attributes.periods)} == {7}
    assert set(attributes.ranges) == {(-math.inf, math.inf)} and set(attributes.periods) == {0.0}


@pytest.mark.parametrize("names", [("hue", "aspect"), ("size",), ("x", "hue", "rotation")])
def test_the_cosine_of_two_identities_is_the_mean_of_the_factors(names, space, rng):
    u, v = torch.randn(2, 20, 7, generator=rng)
    identity = FactorIdentity(names)
    one, other = (identity.measure(space, codes_of(space, factors), None) for factors in (u, v))
    assert one.shape == (20, 2 * len(names))
    index = [Shapes.factor_names.index(name) for name in names]
    expected = torch.cos(torch.pi / 4 * (u - v)[:, index]).mean(1)
    torch.testing.assert_close(F.cosine_similarity(one, other), expected, rtol=0, atol=1e-5)


def test_a_change_of_the_other_factors_keeps_the_identity(space, rng):
    u = torch.randn(20, 7, generator=rng)
    moved = u.clone()
    others = [i for i, name in enumerate(Shapes.factor_names) if name not in ("hue", "aspect")]
    moved[:, others] += 1
    one, other = (FactorIdentity().measure(space, codes_of(space, factors), None) for factors in (u, moved))
    assert identity_error(one, other).abs().max() < 1e-5


def test_a_hue_of_two_deviations_more_is_half_another_one(space, rng):
    """cos(pi / 2) = 0 of one of two factors."""
    u = torch.randn(5, 7, generator=rng)
    moved = u.clone()
    moved[:, Shapes.factor_names.index("hue")] += 2
    one, other = (FactorIdentity().measure(space, codes_of(space, factors), None) for factors in (u, moved))
    torch.testing.assert_close(identity_error(one, other), torch.full((5,), 0.5), rtol=0, atol=1e-5)


@pytest.mark.parametrize("measure", [TrueFactors().measure, FactorIdentity().measure])
def test_another_generator_knows_no_factors(measure, request, rng):
    other = request.getfixturevalue("sphere")
    with pytest.raises(
        ValueError, match="dataset=shapes knows the factors of gan=shapes only, got a SphereGenerator"
    ) as error:
        measure(other, other.sample(2, rng), None)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("names", [["hue", "mood"], []])
def test_the_identity_is_made_of_factors(names):
    with pytest.raises(ValueError, match="identity.names must be among .*'aspect'.*, got"):
        FactorIdentity(names)
