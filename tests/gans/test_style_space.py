"""The space of style vectors, and edits of what convolutions give."""

from __future__ import annotations

import pytest
import torch

from latent_lab import load_generator
from latent_lab.gans.codes import Codes
from latent_lab.gans.stylegan2 import StyleGAN2

FAMILIES = ["stylegan2", "stylegan3_afhq", "mobilestylegan"]
EDITABLE = ["stylegan2", "mobilestylegan"]


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def tiny(name: str):
    torch.manual_seed(0)
    generator = load_generator(name, weights="random", size="tiny").double()
    for layer in generator.style_layers():
        layer.affine.weight.data.normal_(0, 0.2)  # StyleGAN3's input starts at none
    return generator


def rows_of(generator, num: int, rng: torch.Generator) -> Codes:
    """Codes of w+ whose rows differ."""
    codes = generator.space("w+").sample(num, rng)
    return codes.moved(codes.latents + 0.3 * torch.randn(codes.latents.shape, generator=rng, dtype=torch.float64))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_styles_of_rows_make_their_image(name, rng):
    generator = tiny(name)
    rows = rows_of(generator, 2, rng)
    styles = generator.convert(rows, "w+", "s")
    assert styles.latents.shape == (2, *generator.latent_shape("s")) and styles.given.keys() == rows.given.keys()
    torch.testing.assert_close(generator.decode("s", styles), generator.decode("w+", rows), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("source", ["z", "w"])
def test_earlier_codes_become_styles_with_truncation_and_label(name, source, rng):
    generator = tiny(name)
    codes = generator.space(source, truncation=0.6).sample(2, rng)
    styles = generator.convert(codes, source, "s")
    torch.testing.assert_close(generator.decode("s", styles), generator.decode(source, codes), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", FAMILIES)
def test_each_entry_feeds_the_layer_that_its_name_says(name, rng):
    generator = tiny(name)
    codes = generator.space("s").sample(1, rng)
    layers, parts = generator.latent_layers("s"), generator.style_layers()
    assert len(layers) == generator.latent_shape("s")[0] and list(dict.fromkeys(layers)) == [
        part.name for part in parts
    ]
    rows = generator.space("w+").sample(1, rng)
    before = generator.convert(rows, "w+", "s").latents[0]
    names = generator.latent_layers("w+")
    for row in range(generator.num_rows):
        moved = rows.latents.clone()
        moved[:, row] += 1
        changed = (generator.convert(rows.moved(moved), "w+", "s").latents[0] - before).abs() > 1e-12
        assert {layers[i] for i in changed.nonzero()[:, 0]} == {part.name for part in parts if part.row == row}
        assert names[row] in {part.name for part in parts if part.row == row}
    assert codes.given["z"].shape == (1, generator.latent_dim)


def test_the_way_back_from_styles_is_an_inversion(rng):
    generator = tiny("stylegan2")
    with pytest.raises(
        ValueError, match=r"source and target must be of \('z', 'w', 'w\+', 's'\) in this order, got 's' and 'w\+'"
    ):
        generator.convert(generator.space("s").sample(1, rng), "s", "w+")


def test_distances_of_styles_are_counted_in_each_entrys_deviation(rng):
    space = tiny("stylegan2").space("s")
    samples = space.sample(400, rng).latents
    radii = space.radius(samples)
    assert radii.square().mean().item() == pytest.approx(space.shape[0], rel=0.15)
    far = samples.mean(0) + 3 * (samples - samples.mean(0))
    assert (space.radius(far) / radii).mean().item() == pytest.approx(3, rel=0.05)


def conditions(generator, row: int, num: int, rng: torch.Generator) -> dict[str, torch.Tensor]:
    shape = (num, *generator.feature_maps()[row])
    return {f"{kind}.{row}": torch.randn(shape, generator=rng, dtype=torch.float64) for kind in ("scale", "shift")}


def decoded_with(generator, rows: Codes, module, hook) -> torch.Tensor:
    handle = module.register_forward_hook(hook)
    images = generator.decode("w+", rows)
    handle.remove()
    return images


@pytest.mark.parametrize("name", EDITABLE)
def test_every_editable_output_is_changed_by_its_formula(name, rng):
    generator = tiny(name)
    rows = rows_of(generator, 2, rng)
    modules = [
        module for key, module in generator.named_modules() if hasattr(module, "affine") and hasattr(module, "noise")
    ]
    maps = generator.feature_maps()
    assert len(modules) == len(maps)
    for module, (row, shape) in zip(modules, maps.items()):
        seen: list[torch.Tensor] = []
        plain = decoded_with(generator, rows, module, lambda module, inputs, output, seen=seen: seen.append(output))
        x = seen[0]
        assert x.shape[1:] == shape
        given = conditions(generator, row, 2, rng)
        wanted = x * (1 + given[f"scale.{row}"]) + given[f"shift.{row}"]
        expected = decoded_with(generator, rows, module, lambda module, inputs, output, wanted=wanted: wanted)
        found = generator.decode("w+", rows.with_given(given))
        torch.testing.assert_close(found, expected)
        assert (found - plain).abs().max() > 1e-6
        pasted = {f"activation.{row}": wanted, f"mask.{row}": torch.ones(2, 1, *shape[1:], dtype=torch.float64)}
        torch.testing.assert_close(generator.decode("w+", rows.with_given(pasted)), expected)
        none = pasted | {f"mask.{row}": torch.zeros(2, *shape, dtype=torch.float64)}
        torch.testing.assert_close(generator.decode("w+", rows.with_given(none)), plain)
        both = given | {f"activation.{row}": torch.zeros_like(x), f"mask.{row}": pasted[f"mask.{row}"]}
        gone = generator.decode("w+", rows.with_given(both))
        torch.testing.assert_close(
            gone, generator.decode("w+", rows.with_given({f"activation.{row}": torch.zeros_like(x)}))
        )


@pytest.mark.parametrize("name", EDITABLE)
@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_edits_reach_every_space_each_image_its_own_and_have_gradients(name, space, rng):
    generator = tiny(name)
    codes = generator.space(space).sample(2, rng)
    row = list(generator.feature_maps())[-2]
    given = {key: value.requires_grad_() for key, value in conditions(generator, row, 2, rng).items()}
    codes = codes.with_given(given)
    images = generator.decode(space, codes)
    alone = torch.cat([generator.decode(space, codes.select(slice(i, i + 1))) for i in range(2)])
    torch.testing.assert_close(images, alone)
    for gradient in torch.autograd.grad(images.square().sum(), list(given.values())):
        assert gradient.isfinite().all() and gradient.abs().max() > 0


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "stylegan2",
            {"scale.7": (2, 4, 32, 32)},
            r"given must hold scale.<row> of a convolution's row, one of \[0, 1, .*\] of this generator, got 'scale.7'",
        ),
        ("stylegan2", {"shift.x": (2, 4, 32, 32)}, "got 'shift.x'"),
        ("stylegan2", {"shift.0": (2, 16, 8, 8)}, r"shift.0 must have the shape \(2, 16, 4, 4\), got \(2, 16, 8, 8\)"),
        (
            "stylegan2",
            {"mask.0": (2, 3, 4, 4)},
            r"mask.0 must have the shape \(2, 16, 4, 4\) or one channel, got \(2, 3, 4, 4\)",
        ),
        ("stylegan2", {"mask.0": (2, 1, 4, 4)}, "mask.0 needs activation.0"),
        ("mobilestylegan", {"scale.1": (2, 16, 4, 4)}, "got 'scale.1'"),
        ("stylegan3_afhq", {"scale.1": (2, 16, 4, 4)}, r"one of \[\] of this generator, got 'scale.1'"),
    ],
)
def test_edits_of_no_convolution_are_refused(name, given, message, rng):
    generator = load_generator(name, weights="random", size="tiny")
    codes = generator.space("w+").sample(2, rng)
    with pytest.raises(ValueError, match=message):
        generator.decode("w+", codes.with_given({key: torch.zeros(shape) for key, shape in given.items()}))


def test_hfgis_published_place_is_the_first_convolution_at_64_pixels():
    with torch.device("meta"):
        generator = StyleGAN2()
    row = generator.latent_layers("w+").index("64x64 conv0")
    assert row == 7 and generator.feature_maps()[row] == (512, 64, 64) and generator.latent_shape("s") == (9088,)
