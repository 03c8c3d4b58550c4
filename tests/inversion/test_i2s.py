"""Inverters that descend: they find what was sampled, image by image, and leave the generator alone."""

from __future__ import annotations

import math
import re
from functools import partial

import pytest
import torch
from torch import Tensor

from latent_lab.attributes.classifier import ClassifierFeatures
from latent_lab.gans.mobilestylegan import MobileStyleGAN
from latent_lab.gans.sngan import SNGAN
from latent_lab.gans.space import LatentSpace
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.inversion.optimisation.descent import Best, Descent
from latent_lab.inversion.optimisation.i2s import Comparison, Image2StyleGAN, moments
from latent_lab.inversion.optimisation.i2spp import Image2StyleGANPlusPlus
from latent_lab.inversion.optimisation.noise import noise_regularisation, normalise, white_maps
from latent_lab.inversion.optimisation.projector import Projector
from latent_lab.inversion.optimisation.pti import PivotalTuning, Synthesis, tuned_space
from latent_lab.ops.psnr import psnr
from latent_lab.runs import hash_weights

SIZES = {"latent_dim": 16, "style_dim": 16}


@pytest.fixture
def styled() -> StyleGAN2:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return StyleGAN2(**SIZES, widths=[16, 16, 8, 4], image_channels=1).eval()


def rngs(num: int, first: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(first + i) for i in range(num)]


def samples(space: LatentSpace, num: int = 2) -> Tensor:
    with torch.no_grad():
        return space.decode(space.sample(num, torch.Generator().manual_seed(7))).clamp(-1, 1)


def inverters():
    features = ClassifierFeatures("mnist_classifier")
    projector = Projector(features, steps=4, pixels=1.0, samples=64)
    return {
        "i2s": Image2StyleGAN(features, steps=4, lr=0.05, candidates=0),
        "candidates": Image2StyleGAN(features, steps=4, prior=0.1, candidates=5),
        "projector": projector,
        "pti": PivotalTuning(projector, features, steps=3, lr=1e-3, locality=0.1),
    }


@pytest.mark.parametrize("name", inverters())
@pytest.mark.parametrize("place", ["w+", "w", "z"])
def test_an_image_does_not_depend_on_its_batch(name, place, styled):
    space, inverter = styled.space(place), inverters()[name]
    images, before = samples(space), hash_weights(styled)
    together = inverter.invert(space, images, rngs(2))
    alone = inverter.invert(space, images[1:], rngs(1, first=1))
    torch.testing.assert_close(together.codes.latents[1:], alone.codes.latents, atol=2e-3, rtol=2e-3)
    for key, value in alone.tuned.items():
        torch.testing.assert_close(together.tuned[key][1:], value, atol=2e-3, rtol=2e-3)
    assert together.codes.latents.shape == (2, *space.shape) and not together.codes.latents.requires_grad
    assert all(len(value) == 2 for value in together.codes.given.values()) and "z" not in together.codes.given
    assert all(values.shape[1] == 2 for values in together.curves.values())
    assert hash_weights(styled) == before and not any(value.requires_grad for value in styled.parameters())
    again = inverter.invert(space, images, rngs(2))
    assert torch.equal(again.codes.latents, together.codes.latents)


def test_i2s_finds_a_sample_and_keeps_the_best(space):
    images = samples(space)
    found = Image2StyleGAN(None, steps=80, lr=0.2, candidates=16).invert(space, images, rngs(2))
    reached = psnr(space.decode(found.codes), images)
    assert (reached > found.curves["psnr"][0] + 10).all()
    torch.testing.assert_close(
        reached, found.curves["psnr"].gather(0, found.curves["loss"].argmin(0)[None])[0], atol=0.05, rtol=0
    )


def test_best_is_image_by_image():
    best = Best({"x": torch.zeros(2, 1)})
    for losses, values in (([3.0, 1.0], [0.0, 1.0]), ([2.0, 5.0], [2.0, 3.0])):
        best.update(torch.tensor(losses), {"x": torch.tensor(values)[:, None]})
    assert best.loss.tolist() == [2.0, 1.0] and best.tensors["x"].flatten().tolist() == [2.0, 1.0]


def test_comparison_is_the_formula(rng):
    features = ClassifierFeatures("mnist_classifier")
    one, other = (torch.rand(2, 1, 32, 32, generator=rng) * 2 - 1 for _ in range(2))
    comparison = Comparison(features, 2.0, 0.5, normalised=False)
    expected = 2 * (one - other).square().mean((1, 2, 3)) + 0.5 * sum(
        (features(one)[name] - features(other)[name]).square().mean((1, 2, 3)) for name in features.layers
    )
    torch.testing.assert_close(comparison(one, comparison.targets(other)), expected)
    with pytest.raises(
        ValueError, match=r"inverter\.pixels must be positive where inverter\.features .* null .*, got 0"
    ):
        Comparison(None, 0.0, 1.0, normalised=True)


def test_moments_are_those_of_the_prior(space):
    mean, deviation = moments(space)
    assert mean.abs().max() < 0.05 and (deviation - 1).abs().max() < 0.05


def test_noise_regularisation_is_the_formula(rng):
    noise = torch.randn(2, 1, 16, 16, generator=rng, dtype=torch.float64)
    half = noise.unflatten(2, (8, 2)).unflatten(4, (8, 2)).sum((3, 5)) / 2
    expected = sum((level * level.roll(1, axis)).mean((1, 2, 3)) ** 2 for level in (noise, half) for axis in (2, 3))
    torch.testing.assert_close(noise_regularisation(noise), expected)
    smooth = torch.ones(1, 1, 16, 16)
    assert (
        noise_regularisation(smooth).item()
        > 100 * noise_regularisation(torch.randn(1, 1, 16, 16, generator=rng)).item()
    )
    normalise(noise)
    torch.testing.assert_close(noise.mean((1, 2, 3)), torch.zeros(2, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(noise.square().mean((1, 2, 3)), torch.ones(2, dtype=torch.float64))


def test_the_projectors_rate_rises_and_falls():
    projector = Projector(None, steps=10, lr=0.1, pixels=1.0)
    assert (
        projector.rate(0) == 0
        and projector.rate(0.025) == pytest.approx(0.05)
        and projector.rate(0.5) == pytest.approx(0.1)
    )
    assert projector.rate(0.875) == pytest.approx(0.05) and projector.rate(1) == pytest.approx(0)


def test_projected_noise_is_the_generators_measure(styled):
    space = styled.space("w")
    for block in styled.blocks:
        block.conv1.noise_strength.fill_(0.1)
    found = Projector(None, steps=4, pixels=1.0, samples=16).invert(space, samples(space), rngs(2))
    assert sorted(found.codes.given) == [f"noise.{i}" for i in range(7)]
    for value in found.codes.given.values():
        torch.testing.assert_close(value.square().mean((1, 2, 3)), torch.ones(2), atol=1e-3, rtol=1e-3)
    kept = Projector(None, steps=2, pixels=1.0, samples=16, noise=None).invert(space, samples(space), rngs(2))
    assert not kept.codes.given


def test_maps_without_strength_are_left_out():
    generator = MobileStyleGAN(**SIZES, widths=[16, 16, 8])
    generator.blocks[0].conv1.noise.normal_(0, 0.25)
    maps, scales = white_maps(generator.space("w"), rngs(2))
    assert (
        list(maps) == ["noise.1"]
        and maps["noise.1"].shape == (2, 1, 8, 8)
        and scales["noise.1"] == pytest.approx(0.25, rel=0.3)
    )
    assert white_maps(SNGAN(latent_dim=16, widths=[8, 8, 8, 8], image_channels=1).space(), rngs(2)) == ({}, {})


def test_tuning_bends_a_copy_until_it_draws_the_image(styled):
    space, images = styled.space("w"), samples(styled.space("w")).flip(3)
    pivot = Projector(None, steps=3, pixels=1.0, samples=16, noise=None)
    found = PivotalTuning(pivot, None, steps=20, lr=5e-3).invert(space, images, rngs(2))
    assert found.tuned and not any(name.startswith("mapping") for name in found.tuned)
    for i in range(2):
        codes, tuned = found.codes.select(slice(i, i + 1)), {name: value[i] for name, value in found.tuned.items()}
        plain, bent = (
            psnr(there.decode(codes), images[i : i + 1]).item() for there in (space, tuned_space(space, tuned))
        )
        assert bent > plain + 2
        torch.testing.assert_close(plain, found.curves["psnr"][0, i].item(), atol=0.01, rtol=0)
    assert tuned_space(space, {}) is space
    with pytest.raises(ValueError, match=r"tuned must be of the generator .* no \['const'\] of that shape"):
        tuned_space(space, {"const": torch.zeros(1)})


def test_tuning_ends_at_the_threshold(styled):
    space, features = styled.space("w"), ClassifierFeatures("mnist_classifier")
    pivot = Projector(features, steps=2, samples=16, noise=None)
    at_once = PivotalTuning(pivot, features, steps=5, threshold=1e9).invert(space, samples(space), rngs(2))
    assert len(at_once.curves["psnr"]) == 1 and not at_once.tuned


def test_locality_is_the_change_at_a_distance_from_the_pivot(styled, rng):
    space, mean = styled.space("w"), torch.zeros(16)
    codes = space.sample(1, rng)
    tuning = PivotalTuning(Projector(None, pixels=1.0), None, alpha=2.0)
    synthesis = Synthesis(space)
    before = dict(synthesis.named_parameters())
    assert tuning.change_nearby(synthesis, before, codes, rngs(1)[0], mean).item() == 0
    moved = {
        name: torch.randn(value.shape, generator=rng) * 0.05
        for name, value in styled.named_parameters()
        if "blocks" in name
    }
    after = before | {
        f"space.generator.{name}": before[f"space.generator.{name}"] + value for name, value in moved.items()
    }
    change = tuning.change_nearby(synthesis, after, codes, rngs(1)[0], mean)
    away = 0.5 * space.sample(1, rngs(1)[0]).latents - codes.latents
    there = codes.moved(codes.latents + 2 * away / torch.linalg.vector_norm(away))
    expected = (tuned_space(space, moved).decode(there) - space.decode(there)).square().mean()
    torch.testing.assert_close(change[0], expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("value", [-1, 0.5, math.nan, math.inf, True, "4"])
@pytest.mark.parametrize(
    "make, names",
    [
        (partial(Image2StyleGAN, None), ("steps", "candidates", "lr", "pixels", "perceptual", "prior")),
        (partial(Projector, None, pixels=1.0), ("steps", "samples", "lr", "perceptual", "noise", "wander")),
        (
            partial(PivotalTuning, Projector(None, pixels=1.0)),
            ("steps", "lr", "pixels", "perceptual", "threshold", "locality", "alpha"),
        ),
        (partial(Image2StyleGANPlusPlus, None), ("spread", "closeness")),
    ],
)
def test_numbers_that_cannot_be_are_refused_by_their_keys(make, names, value):
    for name in names:
        if value == 0.5 and name not in ("steps", "candidates", "samples"):
            continue  # a fine weight
        kind = "an integer" if name in ("steps", "candidates", "samples") else "a finite number"
        with pytest.raises(
            ValueError, match=rf"^inverter\.{name} must be {kind} (above|of at least) \d, got {re.escape(repr(value))}$"
        ):
            make(**{name: value})


@pytest.mark.parametrize("value", [-1, 0, 0.5, math.nan, math.inf])
def test_descents_that_cannot_be_are_refused(value):
    for name in ("steps", "learning_rate", "patience"):
        if (name, value) in (("steps", 0), ("learning_rate", 0.5)):
            continue
        with pytest.raises(ValueError, match=rf"^{name} must be .*, got {re.escape(repr(value))}$"):
            Descent(**{"steps": 3, "learning_rate": 0.1, "patience": None} | {name: value})
