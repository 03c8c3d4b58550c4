"""The building blocks of Image2StyleGAN++: what they minimise, and what they leave alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.attributes.base import FeatureNetwork
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.inversion.optimisation.descent import Descent
from latent_lab.inversion.optimisation.i2spp import Image2StyleGANPlusPlus
from latent_lab.inversion.optimisation.masked import BuildingBlocks, mean_codes
from latent_lab.inversion.optimisation.masks import mask_of, widen
from latent_lab.inversion.optimisation.terms import MaskedLoss, Pixels, gram
from latent_lab.ops.blur import gaussian_blur


class Means(FeatureNetwork):
    """Two maps that can be written down."""

    layers = ("pixels", "means")

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"pixels": images, "means": 2 * F.avg_pool2d(images, 2)}


def noisy_stylegan2() -> LatentSpace:
    """Random weights of a StyleGAN2 whose noise is seen, in w+; double precision."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = StyleGAN2(latent_dim=8, style_dim=8, widths=[8, 8, 4], mapping_layers=2).double()
    for name, value in generator.named_parameters():
        if name.endswith("noise_strength"):
            value.data.fill_(0.2)
    return generator.space("w+")


@pytest.fixture(scope="module")
def rows() -> LatentSpace:
    return noisy_stylegan2()


@pytest.fixture
def images(rows, rng) -> Tensor:
    with torch.no_grad():
        return rows.decode(rows.sample(2, rng).moved(torch.randn(2, *rows.shape, generator=rng, dtype=torch.float64)))


@pytest.fixture
def mask() -> Tensor:
    return mask_of([0, 0, 1, 0.5], torch.zeros(1, 3, 16, 16, dtype=torch.float64))


def blocks(features=None, steps=4, **weights) -> BuildingBlocks:
    return BuildingBlocks(features, Descent(steps, 0.05), Descent(steps, 0.1), **weights)


def test_the_general_loss_is_the_formula(images, mask, rng):
    made = torch.rand(images.shape, generator=rng, dtype=torch.float64)
    own = blocks(Means(), pixels=2.0, outside=3.0, perceptual=5.0, style=7.0, style_layer="means")
    terms = own.likeness(images, mask) + own.pixels_of(images, 0 * images, mask)[1:] + own.style_of(images, 1 - mask)
    inside = 2 * (mask * (made - images)).square().mean((1, 2, 3))
    outside = 3 * ((1 - mask) * made).square().mean((1, 2, 3))
    small, difference = F.avg_pool2d(mask, 2), 2 * F.avg_pool2d(made - images, 2)
    seen = 5 * ((mask * (made - images).square()).mean((1, 2, 3)) + (small * difference.square()).mean((1, 2, 3)))

    def grams(x: Tensor) -> Tensor:
        maps = (2 * F.avg_pool2d(x, 2) * (1 - small)).flatten(2)
        return torch.einsum("nip,njp->nij", maps, maps) / (1 - small).square().sum()

    style = 7 * (grams(made) - grams(images)).square().sum((1, 2)) / grams(images).square().sum((1, 2))
    torch.testing.assert_close(MaskedLoss(own.features, terms)(made), inside + outside + seen + style)


def test_gram_forgets_where_things_are(images):
    flipped = gram(images.flip(3), None)
    torch.testing.assert_close(gram(images, None), flipped)
    torch.testing.assert_close(gram(images, torch.ones_like(images[:, :1])), flipped)


def test_what_a_mask_hides_changes_nothing(images, mask):
    made = torch.zeros_like(images).requires_grad_()
    (gradient,) = torch.autograd.grad(Pixels(images, mask, 1.0)(made, None).sum(), made)
    assert not gradient[..., 8:].any() and gradient[..., :8].any()
    other = torch.where(mask.bool(), images, images + 1)
    torch.testing.assert_close(*(Pixels(x, mask, 1.0)(made, None) for x in (images, other)), rtol=0, atol=0)


def test_rows_outside_the_layer_mask_stay(rows, images):
    start = mean_codes(rows, 2, 0.1, [torch.Generator().manual_seed(i) for i in range(2)])
    own = blocks(Means())
    found, curves = own.w_plus(rows, start, own.likeness(images), rows=[1, 3])
    moved = (found.latents != start.latents).flatten(2).any(2).all(0)
    assert moved.tolist() == [False, True, False, True, False, False]
    assert (curves["loss"].amin(0) < curves["loss"][0]).all() and found.given == start.given
    made = MaskedLoss(own.features, own.likeness(images))(rows.decode(found))
    torch.testing.assert_close(made, curves["loss"].amin(0))  # the best of each image is kept


def test_closeness_keeps_w_near(rows, images):
    own, start = blocks(steps=8), mean_codes(rows, 2)
    near, free = (own.w_plus(rows, start, own.likeness(images), closeness=weight)[0].latents for weight in (100.0, 0.0))
    assert (near - start.latents).norm() < 0.5 * (free - start.latents).norm()


def test_noise_descends_from_the_stored_maps(rows, images):
    own, start = blocks(steps=6), mean_codes(rows, 2)
    found, curves = own.noise(rows, start, own.pixels_of(images), maps=[2, 4])
    assert found.given.keys() == {"noise.2", "noise.4"} and torch.equal(found.latents, start.latents)
    before = MaskedLoss(None, own.pixels_of(images))(rows.decode(start))
    torch.testing.assert_close(curves["loss"][0], before)  # the stored maps themselves
    assert (curves["loss"].amin(0) < before).all()
    again, more = own.noise(rows, found, own.pixels_of(images), maps=[2])
    torch.testing.assert_close(more["loss"][0], curves["loss"].amin(0))  # goes on from the maps of the codes
    assert torch.equal(again.given["noise.4"], found.given["noise.4"])


def test_the_gradient_of_noise_is_that_of_finite_differences(rows, images):
    maps = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    codes, loss = mean_codes(rows, 2), MaskedLoss(None, blocks().pixels_of(images))
    assert torch.autograd.gradcheck(
        lambda value: loss(rows.decode(Codes(codes.latents, {"noise.2": value}))), maps.requires_grad_(), fast_mode=True
    )


def test_an_image_is_inverted_for_itself(rows, images):
    rngs = [torch.Generator().manual_seed(i) for i in range(2)]
    inverter = Image2StyleGANPlusPlus(blocks(Means()), spread=0.2)
    together = inverter.invert(rows, images, rngs)
    alone = inverter.invert(rows, images[1:], [torch.Generator().manual_seed(1)])
    torch.testing.assert_close(together.codes.select(slice(1, 2)).latents, alone.codes.latents)
    torch.testing.assert_close(together.codes.given["noise.4"][1:], alone.codes.given["noise.4"])
    assert together.curves["psnr"].shape == together.curves["loss"].shape == (8, 2)
    assert (together.curves["psnr"][-1] > together.curves["psnr"][0]).all()


def test_closeness_keeps_codes_near_the_mean_where_edits_work(rows, images):
    mean = mean_codes(rows, 2).latents
    rngs = [torch.Generator() for _ in images]
    free, near = (
        (
            Image2StyleGANPlusPlus(blocks(steps=20), closeness=weight).invert(rows, images, rngs).codes.latents - mean
        ).norm()
        for weight in (0.0, 10.0)
    )
    assert 0 < near < 0.7 * free
    with pytest.raises(ValueError, match=r"inverter\.closeness must be a finite number of at least 0, got -1"):
        Image2StyleGANPlusPlus(blocks(), closeness=-1)


def test_patience_ends_each_image_alone():
    rates = torch.tensor([[0.0], [1.0]])  # the first image's loss is flat
    values, curve = Descent(60, 0.1, patience=3).minimise(
        [torch.ones(2, 1)], lambda x: (rates * x[0]).square().sum(1), "test"
    )
    assert values[0][0] == 1 and values[0][1].abs() < 0.2
    flat, _ = Descent(60, 0.1, patience=3).minimise([torch.ones(1, 1)], lambda x: 0 * x[0].sum(1), "test")
    assert (
        flat[0] == 1
        and len(Descent(60, 0.1, patience=3).minimise([torch.ones(1, 1)], lambda x: 0 * x[0].sum(1), "t")[1]) == 10
    )
    assert (
        Descent(0, 0.1).minimise([torch.ones(2, 1)], lambda x: x[0].sum(1), "test")[1].shape == (0, 2)
        and len(curve) > 10
    )
    with pytest.raises(FloatingPointError, match="the loss of w\\+ is not finite"):
        Descent(2, 0.1).minimise([torch.ones(1, 1)], lambda x: x[0].sum(1) * torch.nan, "w+")


def test_seams():
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 8:] = 1
    soft = gaussian_blur(mask, 1.5)
    assert torch.equal(gaussian_blur(mask, 0), mask) and ((soft > 0) & (soft < 1)).any()
    torch.testing.assert_close(soft + soft.flip(3), torch.ones_like(soft))  # symmetric at the seam, and 1 in all
    assert (soft[0, 0].diff(dim=1) >= -1e-6).all() and torch.equal(soft[..., :3], mask[..., :3])
    assert widen(mask, 2).sum() == 10 * 16 and torch.equal(widen(mask, 0), mask)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rows: blocks(pixels=0.0), "pixels must be positive where features"),
        (lambda rows: Descent(5, 0.0), "learning_rate must be a finite number above 0, got 0.0"),
        (lambda rows: blocks(Means(), layers=["conv9"]), "layers must be among"),
        (
            lambda rows: blocks(Means(), style_layer="conv9").style_of(torch.zeros(1, 3, 16, 16)),
            "style_layer must be one of",
        ),
        (lambda rows: blocks().style_of(torch.zeros(1, 3, 16, 16)), "needs the dataset's network"),
        (lambda rows: blocks().w_plus(rows, mean_codes(rows, 1), [], rows=[9]), "rows must be numbers from 0 to 5"),
        (lambda rows: blocks().noise(rows, mean_codes(rows, 1), [], maps=[5]), "maps must be numbers from 0 to 4"),
        (
            lambda rows: mean_codes(rows.generator.space("w"), 1),
            "gan.space must be w\\+ for Image2StyleGAN\\+\\+, got 'w'",
        ),
        (lambda rows: mask_of([0, 0, 1, 2], torch.zeros(1, 3, 16, 16)), "mask must be \\[top, left, bottom, right\\]"),
        (lambda rows: mask_of([0, 0, 0.01, 0.01], torch.zeros(1, 3, 16, 16)), "mask holds no pixel"),
        (lambda rows: mask_of([0, 0, 1, 1], torch.zeros(1, 3, 16, 16)), "mask is the whole image"),
    ],
)
def test_what_is_wrong_is_said(rows, call, message):
    with pytest.raises(ValueError, match=message):
        call(rows)


def test_a_generator_without_noise_says_so(rows):
    class Silent(StyleGAN2):
        def noise_maps(self):
            return []

    silent = Silent(latent_dim=8, style_dim=8, widths=[8, 4], mapping_layers=1).space("w+")
    with pytest.raises(ValueError, match="gan must be a generator with noise maps .* got a Silent"):
        blocks().noise(silent, Codes(torch.zeros(1, *silent.shape)), [])
    found = Image2StyleGANPlusPlus(blocks()).invert(silent, torch.zeros(1, 3, 8, 8), [torch.Generator()])
    assert found.codes.given == {} and found.curves["loss"].shape == (4, 1)
