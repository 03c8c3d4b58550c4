"""Codes made by hand are decoded with the space's own truncation and noise, never silently without."""

import pytest
import torch

from latent_lab import load_generator
from latent_lab.gans.codes import Codes
from latent_lab.gans.glo import GLO
from latent_lab.gans.shapes import Shapes
from latent_lab.gans.sngan import SNGAN
from latent_lab.gans.space import LatentSpace
from latent_lab.gans.stylegan2 import StyleGAN2


def stylegan2(classes: int = 0) -> StyleGAN2:
    torch.manual_seed(0)
    generator = StyleGAN2(8, 6, classes=classes, widths=[4, 4, 4], mapping_layers=2).eval().requires_grad_(False)
    generator.mapping.mean.normal_()
    for block in generator.blocks:
        for conv in (block.conv0, block.conv1):
            if conv is not None:
                conv.noise_strength.fill_(0.3)
    return generator


def again(space: LatentSpace, codes: Codes, **options) -> Codes:
    """Codes of the same latents, made by hand."""
    return space.codes(codes.latents, codes.given.get("label"), **options)


@pytest.mark.parametrize("truncation", [1.0, 0.7])
@pytest.mark.parametrize("make", [SNGAN, GLO, Shapes, "proggan", "biggan", "biggan_deep", "stylegan3_afhq"])
def test_samples_made_again_by_hand_are_the_same_images(make, truncation, rng):
    generator = load_generator(make, weights="random", size="tiny") if isinstance(make, str) else make()
    space = generator.space(truncation=truncation)
    codes = space.sample(3, rng)
    made = again(space, codes)
    assert made.given.keys() == codes.given.keys()
    assert torch.equal(space.decode(made), space.decode(codes))


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("noise", ["const", "none", "random"])
@pytest.mark.parametrize("name", ["z", "w", "w+", "s"])
def test_stylegan2_truncates_and_has_the_noise_of_its_space(name, noise, classes, rng):
    layers = None if name == "w" else 2
    space = stylegan2(classes).space(name, truncation=0.7, truncation_layers=layers, noise=noise)
    codes = space.sample(2, rng)
    noises = {key: value for key, value in codes.given.items() if key.startswith("noise")}
    made = again(space, codes, rng=torch.Generator().manual_seed(5))
    assert made.given.keys() | {"z"} == codes.given.keys() | {"z"}
    if noise == "random":
        assert not any(torch.equal(made.given[key], value) for key, value in noises.items())
    assert torch.equal(space.decode(made.with_given(noises)), space.decode(codes))
    bare = Codes(codes.latents, {key: value for key, value in codes.given.items() if key == "label"})
    if noise == "random":
        with pytest.raises(ValueError, match="rng must be a torch.Generator where codes have no noise"):
            space.decode(bare)
    rngs = [torch.Generator().manual_seed(5) for _ in range(2)]
    assert torch.equal(space.decode(bare, rngs[0]), space.decode(again(space, codes, rng=rngs[1])))


def test_truncation_by_hand_changes_the_image_as_truncation_does(rng):
    generator = stylegan2()
    z = torch.randn(2, 8, generator=rng)
    plain, truncated = (generator.space("z", truncation=share) for share in (1.0, 0.7))
    w = torch.lerp(generator.mapping.mean, plain.generator.convert(Codes(z), "z", "w").latents, 0.7)
    torch.testing.assert_close(truncated.decode(Codes(z)), generator.space("w").decode(Codes(w)))
    torch.testing.assert_close(truncated.decode(truncated.codes(z)), generator.space("w").decode(Codes(w)))
    assert not torch.allclose(truncated.decode(Codes(z)), plain.decode(Codes(z)), atol=1e-3)


def test_codes_keep_what_they_have(rng):
    generator = stylegan2()
    space = generator.space("z", truncation=0.7, truncation_layers=2, noise="none")
    own = generator.space("z", truncation=0.5, noise="random").sample(2, rng)
    assert space.complete(own).given.keys() == own.given.keys()
    assert torch.equal(space.decode(own), generator.decode("z", own))


def test_stored_noise_can_be_asked_for_in_any_space(rng):
    generator = stylegan2()
    latents = generator.space("w").sample(2, rng).latents
    stored = generator.decode("w", Codes(latents))
    for noise in ("const", "none", "random"):
        space = generator.space("w", noise=noise)
        codes = space.codes(latents, stored_noise=True)
        assert torch.equal(space.decode(codes), stored) and codes.has_noise == (noise != "const")


def test_a_label_is_needed_where_it_counts():
    biggan = load_generator("biggan", weights="random", size="tiny").space()
    latents, last = torch.zeros(2, *biggan.shape), biggan.generator.classes - 1
    message = f"label must be a class from 0 to {last} for each of the codes of space z, got none"
    for codes in (lambda: biggan.codes(latents), lambda: biggan.decode(Codes(latents))):
        with pytest.raises(ValueError, match=message):
            codes()
    assert biggan.codes(latents, 1).given["label"].tolist() == [1, 1]
    assert biggan.codes(latents, torch.tensor([1, 0])).given["label"].tolist() == [1, 0]
    for label in (last + 1, -1, [0], [0, 1, 0], 0.5, True):
        with pytest.raises(
            ValueError, match=f"label must be a class from 0 to {last}, or one for each of the 2 latents"
        ):
            biggan.codes(latents, label)
    assert "label" not in stylegan2(3).space("w").codes(torch.zeros(2, 6)).given


def test_a_label_is_refused_where_there_are_no_classes(space):
    with pytest.raises(ValueError, match="label must be None for a generator without classes, got 3"):
        space.codes(torch.zeros(2, 16), 3)


def test_latents_by_hand_have_the_shape_of_the_space(space):
    with pytest.raises(ValueError, match=r"latents must have the shape \(N, 16\) in space z, got \(2, 3\)"):
        space.codes(torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"latents must have the shape \(N, 6, 6\) in space w\+, got \(6,\)"):
        stylegan2().space("w+").codes(torch.zeros(6))
