"""What every generator of conf/gan does: samples, decodes, is a function of its codes alone. A new one is tested
without an edit here."""

from __future__ import annotations

import pytest
import torch
import yaml

from latent_lab import load_generator
from latent_lab.gans.biggan_deep import statistics_at
from latent_lab.gans.codes import Codes
from latent_lab.gans.conditional import truncated_normal
from latent_lab.gans.stylegan2 import StyledConv, StyleGAN2
from latent_lab.gans.stylegan3 import FilteredConv
from latent_lab.installation import CONF

TINY = sorted(file.stem for file in (CONF / "gan").glob("*.yaml") if "tiny" in (yaml.safe_load(file.read_text()) or {}))
CASES = [(name, space) for name in TINY for space in ("z", "w", "w+", "s")]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def space(request):
    name, space = request.param
    generator = load_generator(name, weights="random", size="tiny")
    if space not in generator.spaces:
        pytest.skip(f"{name} has no {space}")
    return generator.space(space, truncation=0.7)


def test_samples_and_images_have_their_shapes(space):
    codes = space.sample(3, torch.Generator().manual_seed(0))
    images = space.decode(codes)
    assert codes.latents.shape == (3, *space.shape)
    assert images.shape == (3, space.generator.channels, space.generator.resolution, space.generator.resolution)
    assert images.isfinite().all() and images.std(0).max() > 1e-4
    assert len(space.layers) in (0, space.shape[0]) and bool(space.layers) == (space.name in ("w+", "s"))


def test_the_same_seed_gives_the_same_codes(space):
    one, other = (space.sample(3, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one.latents, other.latents) and all(
        torch.equal(one.given[name], other.given[name]) for name in one.given
    )


def test_an_image_does_not_depend_on_its_batch(space):
    codes = space.sample(3, torch.Generator().manual_seed(2))
    together = space.decode(codes)
    alone = torch.cat([space.decode(codes.select(slice(i, i + 1))) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4 * together.abs().max().item())


def test_latents_have_gradients(space):
    codes = space.sample(2, torch.Generator().manual_seed(3))
    latents = codes.latents.clone().requires_grad_()
    space.decode(codes.moved(latents)).square().sum().backward()
    assert latents.grad.isfinite().all() and latents.grad.abs().max() > 0


def test_only_the_direction_counts_on_the_sphere(space):
    codes = space.sample(2, torch.Generator().manual_seed(4))
    images, scaled = space.decode(codes), space.decode(codes.moved(3 * codes.latents))
    same = (images - scaled).abs().max() < 1e-3 * images.abs().max()
    assert same == space.spherical


def test_first_weights_act_on_latents(space):
    if space.name == "s":
        with pytest.raises(
            ValueError, match="gan.space must be z, w or w\\+ where the first weights are asked for, got 's'"
        ):
            space.generator.first_weights("s")
        return
    weights = space.generator.first_weights(space.name)
    assert len(weights) == space.generator.num_rows if space.name != "z" else len(weights) >= 1
    assert all(weight.shape[1] == space.shape[-1] for weight in weights) and torch.cat(weights).std() > 0


def test_the_first_layer_of_each_row_is_named_in_its_order():
    generator = load_generator("stylegan2", weights="random", size="tiny")
    codes = generator.space("w+").sample(1, torch.Generator().manual_seed(0))
    images = generator.decode("w+", codes)
    for row, weight in enumerate(generator.first_weights("w+")):
        hidden = torch.linalg.svd(weight).Vh[-1] if weight.shape[0] < weight.shape[1] else None
        if hidden is None:
            continue
        moved = codes.latents.clone()
        moved[:, row] += hidden
        changed = (generator.decode("w+", codes.moved(moved)) - images).abs().max()
        assert changed < 1e-4 or row % 2 == 1  # an odd row feeds colours too


def test_half_precision_changes_little(space):
    codes = space.sample(3, torch.Generator().manual_seed(6))
    exact = space.decode(codes)
    with torch.autocast("cpu", torch.bfloat16):
        rough = space.decode(codes).float()
    error = (rough - exact).square().mean() / exact.square().mean()
    assert 0 < error < 0.01


def test_features_on_request(space):
    kinds = (StyledConv,) if isinstance(space.generator, StyleGAN2) else (torch.nn.Conv2d, FilteredConv)
    names = [name for name, module in space.generator.named_modules() if isinstance(module, kinds)][:1]
    names += [name for name, _ in space.generator.named_children() if name in ("linear", "input", "dense")]
    codes = space.sample(2, torch.Generator().manual_seed(7))
    found = space.activations(codes, names)
    assert found.keys() == set(names) and all(len(value) == 2 for value in found.values())
    with pytest.raises(ValueError, match="names must be submodules of the generator"):
        space.activations(codes, ["nothing"])


def test_a_part_that_is_never_called_is_refused():
    space = load_generator("stylegan2", weights="random", size="tiny").space()
    with pytest.raises(ValueError, match=r"names must be submodules that run, got \['blocks'\]"):
        space.activations(space.sample(1, torch.Generator()), ["blocks"])


@pytest.mark.parametrize("name", ["stylegan2", "stylegan3_afhq"])
def test_codes_of_an_earlier_space_become_those_of_a_later_one(name):
    generator = load_generator(name, weights="random", size="tiny")
    z = generator.space("z", truncation=0.6, truncation_layers=2).sample(2, torch.Generator().manual_seed(0))
    rows = generator.convert(z, "z", "w+")
    torch.testing.assert_close(generator.decode("w+", rows), generator.decode("z", z))
    w = generator.convert(Codes(z.latents), "z", "w")
    torch.testing.assert_close(generator.convert(w, "w", "w+").latents[:, 3], w.latents)
    with pytest.raises(ValueError, match="source and target must be of .* in this order, got 'w' and 'z'"):
        generator.convert(w, "w", "z")


def test_distances_in_w_are_counted_in_deviations_of_the_prior():
    space = load_generator("stylegan2", weights="random", size="tiny").space("w")
    samples = space.sample(500, torch.Generator().manual_seed(1)).latents
    assert space.radius(samples).square().mean().item() == pytest.approx(space.shape[0], rel=0.15)
    torch.testing.assert_close(
        space.radius(5 * samples - 4 * samples.mean(0)).mean(), 5 * space.radius(samples).mean(), rtol=0.1, atol=0
    )
    rows = space.generator.space("w+")
    torch.testing.assert_close(rows.radius(samples[:, None].repeat(1, rows.shape[0], 1)), space.radius(samples))


@pytest.mark.parametrize("mode", ["const", "none", "random"])
def test_noise_modes(mode):
    generator = load_generator("stylegan2", weights="random", size="tiny")
    for conv in (conv for block in generator.blocks for conv in (block.conv0, block.conv1) if conv is not None):
        conv.noise_strength.data.fill_(0.5)
    codes = generator.space("w", noise=mode).sample(2, torch.Generator().manual_seed(0))
    same = codes.moved(codes.latents[:1].expand(2, -1))
    one, other = generator.decode("w", same)
    assert torch.allclose(one, other, atol=1e-4) == (mode != "random")
    assert torch.equal(generator.decode("w", codes), generator.decode("w", Codes(codes.latents))) == (mode == "const")


@pytest.mark.parametrize(
    ("name", "space", "options", "message"),
    [
        ("stylegan2", "w", {"noise": "loud"}, r"noise must be one of \('const', 'none', 'random'\), got 'loud'"),
        (
            "stylegan3_afhq",
            "w",
            {"noise": "none"},
            r"StyleGAN3 takes of truncation_layers and noise \['truncation_layers'\]",
        ),
        ("proggan", "z", {"truncation_layers": 3}, r"ProgGAN takes of truncation_layers and noise \[\]"),
        ("stylegan2", "w", {"truncation_layers": 3}, "truncation_layers needs space z or w"),
    ],
)
def test_options_that_a_space_lacks_are_refused(name, space, options, message):
    with pytest.raises(ValueError, match=message):
        load_generator(name, weights="random", size="tiny").space(space, **options).sample(1, torch.Generator())


def test_equal_rows_are_one_style():
    generator = load_generator("stylegan2", weights="random", size="tiny")
    codes = generator.space("w").sample(2, torch.Generator().manual_seed(0))
    rows = codes.moved(codes.latents[:, None].repeat(1, generator.num_rows, 1))
    assert torch.equal(generator.space("w").decode(codes), generator.space("w+").decode(rows))


def test_truncation_moves_styles_to_their_mean():
    generator = StyleGAN2(8, 6, widths=[4, 4, 4], mapping_layers=2).eval()
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        generator.mapping.mean.normal_(generator=torch.Generator().manual_seed(1))
        whole = generator.map(z, {})
        part = generator.map(z, {"truncation": torch.full((3,), 0.4), "truncation_layers": torch.full((3,), 2)})
    torch.testing.assert_close(part[:, :2], generator.mapping.mean + 0.4 * (whole[:, :2] - generator.mapping.mean))
    assert torch.equal(part[:, 2:], whole[:, 2:])


def test_noise_can_be_given_scaled_and_left_out():
    generator = StyleGAN2(8, 6, widths=[4, 4], mapping_layers=1).eval().requires_grad_(False)
    for conv in (generator.blocks[0].conv1, generator.blocks[1].conv0, generator.blocks[1].conv1):
        conv.noise_strength.fill_(0.3)
    codes = generator.space("w").sample(2, torch.Generator().manual_seed(0))

    def images(**given):
        return generator.decode("w", Codes(codes.latents, given))

    stored = {
        f"noise.{i}": n.expand(2, 1, *n.shape)
        for i, n in enumerate(b for name, b in generator.named_buffers() if name.endswith("noise"))
    }
    order = {"noise.0": stored["noise.0"], "noise.1": stored["noise.1"], "noise.2": stored["noise.2"]}
    assert torch.allclose(images(), images(noise=torch.ones(2)), atol=1e-6) and torch.allclose(
        images(), images(**order), atol=1e-6
    )
    assert not torch.allclose(images(), images(noise=torch.zeros(2)), atol=1e-3)


def test_truncated_normal_numbers(rng):
    drawn = truncated_normal((20000,), rng)
    assert drawn.abs().max() <= 2 and abs(drawn.mean()) < 0.02
    assert drawn.std().item() == pytest.approx(0.8796, abs=0.01)


def test_statistics_between_two_rows_are_blended_as_published():
    table = torch.arange(51.0)[:, None]
    found = statistics_at(table, torch.tensor([0.0, 0.4, 0.43, 1.0], dtype=torch.float64))[:, 0]
    torch.testing.assert_close(found, torch.tensor([0.0, 20.0, 21 * 0.5 + 22 * 0.5, 50.0]))
    assert statistics_at(table, torch.tensor([0.425], dtype=torch.float64)).item() == pytest.approx(
        21 * 0.25 + 22 * 0.75
    )


def test_conditional_generators_draw_the_labels_that_were_asked_for():
    codes = load_generator("biggan", weights="random", size="tiny").space().sample(4, torch.Generator().manual_seed(0))
    assert codes.given["label"].tolist() == [239] * 4


@pytest.mark.parametrize(
    ("options", "message"), [({"size": "huge"}, "gan.size must be 'full'"), ({"size": "tiny"}, None)]
)
def test_sizes(options, message):
    if message:
        with pytest.raises(ValueError, match=message):
            load_generator("stylegan2", weights="random", **options)
    else:
        assert load_generator("stylegan2_car", weights="random", **options).resolution == 32
