"""The applications of Image2StyleGAN++, on a tiny generator with a real feature network's contract."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.applications.base import rows_at
from latent_lab.inversion.applications.crossover import Crossover
from latent_lab.inversion.applications.feature_transfer import FeatureTransfer
from latent_lab.inversion.applications.inpainting import Inpainting
from latent_lab.inversion.applications.reconstruction import Reconstruction
from latent_lab.inversion.applications.scribble import Scribble
from latent_lab.inversion.applications.style_transfer import StyleTransfer
from latent_lab.inversion.optimisation.masks import mask_of
from latent_lab.ops.psnr import psnr
from tests.inversion.test_masked import Means, blocks, noisy_stylegan2


@pytest.fixture(scope="module")
def rows() -> LatentSpace:
    return noisy_stylegan2()


@pytest.fixture(scope="module")
def pair(rows):
    """Two images of the generator with their codes, whose rows differ."""
    codes = Codes(torch.randn(2, *rows.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64))
    with torch.no_grad():
        return rows.decode(codes), codes


@pytest.fixture
def mask() -> Tensor:
    return mask_of([0, 0, 1, 0.5], torch.zeros(1, 3, 16, 16, dtype=torch.float64))


def test_reconstruction_comes_nearer(rows, pair, rng):
    made = Reconstruction(blocks(Means(), steps=10)).compose(rows, pair[0][:1], None, rng)
    image = rows.decode(made.codes)
    assert psnr(image, pair[0][:1]) > psnr(made.inputs["w+ alone"], pair[0][:1])
    assert psnr(image, pair[0][:1]) == pytest.approx(made.curves["psnr"].max().item(), abs=1e-3)


def test_crossover_mixes_both(rows, pair, mask, rng):
    images = pair[0]
    made = rows.decode(Crossover(blocks(steps=30), seam=1.0).compose(rows, images, mask, rng).codes)
    for image, part, other in ((images[:1], mask, images[1:]), (images[1:], 1 - mask, images[:1])):
        assert psnr(made, image, part) > psnr(made, other, part) + 1


def test_a_crossover_of_an_image_with_itself_is_its_reconstruction(rows, pair, mask, rng):
    twice = pair[0][:1].expand(2, -1, -1, -1)
    hard = torch.round(mask)
    own = blocks(steps=6)
    crossed = Crossover(own).compose(rows, twice, hard, rng)
    direct = Reconstruction(own).compose(rows, twice[:1], None, rng)
    torch.testing.assert_close(crossed.codes.latents, direct.codes.latents)


def test_inpainting_never_reads_what_is_hidden(rows, pair, rng):
    hole = mask_of([0.25, 0.25, 0.75, 0.75], pair[0])
    other = torch.where(hole > 0, torch.ones_like(pair[0]), pair[0])
    application = Inpainting(blocks(Means()), seam=0.0, completions=2, spread=1.0, layers="0-2")
    one, two = (
        application.compose(rows, x[:1], hole, torch.Generator().manual_seed(0)).codes for x in (pair[0], other)
    )
    assert torch.equal(one.latents, two.latents) and all(
        torch.equal(one.given[name], two.given[name]) for name in one.given
    )
    assert (one.latents[0] - one.latents[1]).abs().max() > 0.1  # several completions
    assert torch.equal(one.latents[0, 3:], rows.generator.mapping.mean.expand(3, -1))  # of which only some rows moved


def test_the_paper_s_rows_at_any_depth():
    assert rows_at(18, [(0, 9 / 18), (16 / 18, 1)]) == [*range(9), 16, 17] and rows_at(18, [(3 / 18, 6 / 18)]) == [
        3,
        4,
        5,
    ]
    assert rows_at(8, [(3 / 18, 6 / 18)]) == [1, 2] and rows_at(23, [(0, 0.5)]) == list(range(11))


def test_scribbles_move_the_image_towards_them(rows, pair, rng):
    hole = mask_of([0.25, 0.25, 0.75, 0.75], pair[0])
    image, codes = pair[0][:1], pair[1].select(slice(0, 1))
    options = dict(colour=[1.0, -1.0, -1.0], closeness=0.0)
    made = Scribble(blocks(steps=10), layers="1-2", **options).compose(rows, image, hole, rng, codes)
    drawn = made.inputs["scribbled"]
    assert psnr(rows.decode(made.codes), drawn, hole) > psnr(image, drawn, hole)
    moved = (made.codes.latents != codes.latents).any(2)[0]
    assert moved.tolist() == [False, True, True, False, False, False]
    found = Scribble(blocks(steps=10), layers="1-2", closeness=0.0).compose(
        rows, torch.cat([image, drawn]), None, rng, codes
    )
    # the scribbled picture says where it was drawn on
    torch.testing.assert_close(found.codes.latents, made.codes.latents)


def test_a_style_comes_over(rows, pair, mask, rng):
    own = blocks(Means(), steps=20, style=50.0)
    made = StyleTransfer(own).compose(rows, pair[0], mask, rng, pair[1])
    before, after = (
        own.style_of(pair[0][1:], 1 - mask)[0](x, Means()(x)) for x in (pair[0][:1], rows.decode(made.codes))
    )
    assert after < 0.7 * before


def test_features_are_copied_averaged_and_chosen(rows, pair, mask, rng):
    images, codes = pair
    half = mask_of([0, 0, 1, 0.5], images)

    def transfer(where: Tensor, **options) -> Tensor:
        return rows.decode(
            FeatureTransfer(blocks(), layer="16x16 conv1", **options).compose(rows, images, where, rng, codes).codes
        )

    everything, nothing = torch.ones_like(half), torch.zeros_like(half)
    assert torch.equal(transfer(half, amount=0.0), rows.decode(codes.select(slice(0, 1))))
    torch.testing.assert_close(transfer(nothing), images[:1])
    # after the last convolution there are only colours, which read the first's codes
    copied, averaged = transfer(everything), transfer(everything, amount=0.5)
    torch.testing.assert_close(averaged, (copied + images[:1]) / 2)  # colours are linear in the last activations
    torch.testing.assert_close(transfer(everything, channels=[0, 1, 2, 3]), copied)
    single = sum(transfer(everything, channels=[channel]) - images[:1] for channel in range(4))
    torch.testing.assert_close(single, copied - images[:1])
    left = transfer(half)
    torch.testing.assert_close(left[..., :8], copied[..., :8])
    torch.testing.assert_close(left[..., 8:], images[:1, ..., 8:])


def test_features_of_images_are_found_first(rows, pair, mask, rng):
    made = FeatureTransfer(blocks(steps=3), layer=1).compose(rows, pair[0], mask, rng)
    assert {"activation.1", "mask.1", "noise.0"} <= made.codes.given.keys() and "second, inverted" in made.inputs
    assert rows.decode(made.codes).isfinite().all()


@pytest.mark.parametrize(
    ("application", "images", "masked", "message"),
    [
        (Crossover(blocks()), 1, True, "images or seeds must be 2 for Crossover, got 1"),
        (Crossover(blocks()), 2, False, "mask must be given for Crossover"),
        (Reconstruction(blocks()), 1, True, "mask must be null for Reconstruction"),
        (Scribble(blocks(), colour=[0.0]), 1, True, "colour must hold 3 numbers"),
        (Inpainting(blocks(), layers="4-9"), 1, True, "numbers and ranges such as 4-7 from 0 to 5"),
        (
            FeatureTransfer(blocks(), layer="64x64 conv1"),
            2,
            True,
            "layer must be one of \\['4x4 conv1', .* got '64x64 conv1'",
        ),
        (
            FeatureTransfer(blocks(steps=1), layer=2, channels=[8]),
            2,
            True,
            "channels must be numbers from 0 to 7 of layer 2",
        ),
    ],
)
def test_what_is_wrong_is_said(rows, pair, mask, rng, application, images, masked, message):
    with pytest.raises(ValueError, match=message):
        application.compose(rows, pair[0][:images], mask if masked else None, rng, pair[1].select(slice(0, images)))


def test_sizes_and_scribbles_that_do_not_fit(rows, pair, mask, rng):
    with pytest.raises(
        ValueError, match="must be of 16 x 16 pixels and 3 channels as the generator's, got \\(2, 3, 8, 8\\)"
    ):
        Crossover(blocks()).compose(rows, pair[0][..., :8, :8], mask, rng)
    with pytest.raises(ValueError, match="two that are equal"):
        Scribble(blocks()).compose(rows, pair[0][:1].expand(2, -1, -1, -1), None, rng)
    with pytest.raises(ValueError, match="gan.space must be w\\+"):
        Crossover(blocks()).compose(rows.generator.space("w"), pair[0], mask, rng)
    for wrong in (dict(completions=0), dict(spread=-1)):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
            Inpainting(blocks(), **wrong)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.5])
def test_numbers_of_applications_are_finite(value):
    for make, name in (
        (lambda x: Crossover(blocks(), seam=x), "seam"),
        (lambda x: FeatureTransfer(blocks(), amount=x), "amount"),
        (lambda x: FeatureTransfer(blocks(), channels=[x]), "channels"),
        (lambda x: Inpainting(blocks(), completions=x), "completions"),
        (lambda x: Inpainting(blocks(), spread=x), "spread"),
        (lambda x: Scribble(blocks(), closeness=x), "closeness"),
        (lambda x: Scribble(blocks(), colour=[0, 0, x]), "colour"),
        (lambda x: blocks(outside=x), "outside"),
    ):
        with pytest.raises(ValueError, match=f"^{name} must be .*, got {value}$"):
            make(value)
