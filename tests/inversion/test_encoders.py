"""pSp, e4e, ReStyle and HFGI as inverters: any number of rows, each image for itself, files in and out, bad input."""

import pytest
import torch
from omegaconf import OmegaConf

from latent_lab.gans.codes import Codes
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.installation import CONF
from latent_lab.inversion.encoders.encoder import EncoderInverter
from latent_lab.inversion.encoders.files import encoder_bytes, gain
from latent_lab.inversion.encoders.style_encoder import StyleEncoder, published_sizes, resize
from latent_lab.inversion.hfgi.distortion import ConsultationEncoder, DistortionAlignment
from latent_lab.inversion.hfgi.hfgi import HFGI, consulted_row

SMALL = {"widths": (4, 8, 12, 16), "depths": (1, 1, 1, 1), "reduction": 2, "head_width": 8}


def network(rows: int = 8, style_dim: int = 16, **options) -> StyleEncoder:
    torch.manual_seed(0)
    return StyleEncoder(rows, style_dim, **{"resolution": 32} | SMALL | options).eval()


@pytest.fixture
def styled():
    torch.manual_seed(1)
    generator = StyleGAN2(latent_dim=16, style_dim=16, widths=[16, 16, 8, 4])
    generator.mapping.mean.normal_(0, 0.3)
    return generator.space("w+")


@pytest.fixture
def images(styled, rng):
    return styled.decode(styled.sample(3, rng)).clamp(-1, 1)


def written(tmp_path, space, iterations: int = 1, **networks) -> str:
    mean = space.generator.mapping.mean.expand(space.shape)
    (tmp_path / "encoder.safetensors").write_bytes(encoder_bytes(networks, mean, iterations, {"generator": "0"}))
    return str(tmp_path / "encoder.safetensors")


def conditions_of(features: int = 16) -> dict:
    torch.manual_seed(2)
    consultation = ConsultationEncoder(features, 32, widths=(4, 4, 4))
    for head in (consultation.condition_scale3, consultation.condition_shift3):
        torch.nn.init.normal_(head[2].weight, std=0.05)
    return {"grid_align": DistortionAlignment(widths=(4, 4, 8, 8)).eval(), "residue": consultation.eval()}


@pytest.mark.parametrize(
    ("rows", "channels", "resolution", "deltas"), [(2, 1, 32, None), (8, 3, 64, 7), (14, 3, 32, 4), (20, 6, 128, None)]
)
def test_any_number_of_rows_channels_and_pixels(rows, channels, resolution, deltas):
    encoder = network(rows, image_channels=channels, resolution=resolution, deltas=deltas)
    codes = encoder(torch.randn(2, channels, resolution, resolution))
    assert codes.shape == (2, rows, 16) and codes.isfinite().all()
    assert StyleEncoder(**encoder.config).config == encoder.config
    if deltas is None:
        found = published_sizes(encoder.state_dict())
        assert found == {name: value for name, value in encoder.config.items() if name != "deltas"}


def test_deltas_are_what_rows_differ_from_the_first_by():
    whole, some = network(deltas=7), network(deltas=2)
    images = torch.randn(2, 3, 32, 32)
    some.load_state_dict(whole.state_dict())
    torch.testing.assert_close(some(images)[:, :3], whole(images)[:, :3])
    torch.testing.assert_close(some(images)[:, 3:], whole(images)[:, :1].expand(-1, 5, -1))
    plain = network(deltas=None)
    plain.load_state_dict(whole.state_dict())
    torch.testing.assert_close(plain(images)[:, 1:] + plain(images)[:, :1], whole(images)[:, 1:])


def test_images_are_shown_at_the_encoders_resolution():
    ramp = torch.linspace(-1, 1, 64)[None, None, None].expand(1, 1, 64, 64)
    torch.testing.assert_close(
        resize(ramp, 32)[..., 1:-1], ramp.unflatten(3, (32, 2)).mean(4)[..., ::2, 1:-1], atol=2e-3, rtol=0
    )
    assert resize(ramp, 64) is ramp


@pytest.mark.parametrize(("deltas", "editable"), [(None, False), (7, True), (None, None)])
def test_codes_are_the_mean_style_and_offsets(tmp_path, styled, images, deltas, editable):
    encoder = network(deltas=deltas)
    inverter = EncoderInverter(written(tmp_path, styled, encoder=encoder), editable)
    codes = inverter.invert(styled, images, []).codes
    torch.testing.assert_close(codes.latents, styled.generator.mapping.mean + encoder(resize(images, 32)))
    assert codes.given == {} and not codes.latents.requires_grad
    alone = torch.cat([inverter.invert(styled, image[None], []).codes.latents for image in images])
    torch.testing.assert_close(alone, codes.latents, atol=1e-5, rtol=1e-5)


def test_an_encoder_that_refines_is_shown_what_it_has_reached(tmp_path, styled, images):
    encoder = network(image_channels=6)
    file = written(tmp_path, styled, 3, encoder=encoder)
    shown = []
    found = (
        EncoderInverter(file).invert(styled, images, [], lambda steps, name: shown.extend(steps) or shown).codes.latents
    )
    latents = styled.generator.mapping.mean.expand(3, 8, 16)
    for _ in range(3):
        latents = latents + encoder(torch.cat([resize(images, 32), resize(styled.decode(Codes(latents)), 32)], 1))
    torch.testing.assert_close(found, latents)
    assert shown == [0, 1, 2]
    assert not torch.equal(found, EncoderInverter(file, iterations=1).invert(styled, images, []).codes.latents)


def test_a_published_file_is_read_with_its_gains(tmp_path, styled, images):
    encoder = network()
    stored = {f"encoder.{name}": value / gain(name, value) for name, value in encoder.state_dict().items()}
    torch.save(
        {"state_dict": stored, "opts": {"encoder_type": "GradualStyleEncoder"}, "latent_avg": torch.ones(16)},
        tmp_path / "psp.pt",
    )
    inverter = EncoderInverter(str(tmp_path / "psp.pt"), editable=False)
    torch.testing.assert_close(inverter.invert(styled, images, []).codes.latents, 1 + encoder(resize(images, 32)))
    with pytest.raises(ValueError, match="choose inverter=psp"):
        EncoderInverter(str(tmp_path / "psp.pt"), editable=True)


def test_hfgi_conditions_are_of_the_edited_codes(tmp_path, styled, images, rng):
    inverter = HFGI(written(tmp_path, styled, encoder=network(), **conditions_of()))
    codes = inverter.invert(styled, images, []).codes
    row = consulted_row(styled, 8)
    assert row == 1 and set(codes.given) == {"scale.1", "shift.1"}
    assert all(value.shape == (3, 16, 8, 8) for value in codes.given.values())
    edited = codes.moved(codes.latents + torch.randn(16, generator=rng))
    first = inverter.conditions(styled, codes, images, edited)
    again = inverter.conditions(styled, codes, images, Codes(edited.latents, first))  # those it has are not seen
    assert first.keys() == again.keys() == codes.given.keys()
    for name in first:
        torch.testing.assert_close(first[name], again[name])
        assert not torch.allclose(first[name], codes.given[name])
    alone = inverter.conditions(styled, codes.select(slice(1, 2)), images[1:2], edited.select(slice(1, 2)))
    torch.testing.assert_close(alone["scale.1"], first["scale.1"][1:2], atol=1e-4, rtol=1e-4)


def test_new_conditions_change_nothing():
    scale, shift = ConsultationEncoder(5, widths=(4, 4, 4)).eval()(torch.randn(2, 3, 32, 32))
    assert scale.shape == shift.shape == (2, 5, 8, 8) and not scale.any() and not shift.any()


@pytest.mark.parametrize("name", ["psp", "e4e", "restyle", "hfgi"])
def test_without_a_file_the_message_says_how_to_get_one(name):
    from hydra.utils import instantiate

    with pytest.raises(Exception, match="train_encoder encoder=") as error:
        instantiate(OmegaConf.load(CONF / "inverter" / f"{name}.yaml"))
    assert len(str(error.value.__cause__ or error.value).splitlines()) == 1


def test_what_does_not_fit_is_one_line(tmp_path, styled, images):
    file = written(tmp_path, styled, encoder=network(deltas=7))
    for call, message in (
        (lambda: EncoderInverter(file, editable=False), "choose that inverter"),
        (lambda: EncoderInverter(file, iterations=0), "inverter.iterations"),
        (lambda: EncoderInverter(file, iterations=2).invert(styled, images, []), "iterations must be 1"),
        (lambda: EncoderInverter(file).invert(styled.generator.space("w"), images, []), "space must be w\\+"),
        (lambda: HFGI(file), "networks of HFGI"),
        (lambda: network(resolution=48), "power of 2"),
        (lambda: network(deltas=8), "deltas"),
        (lambda: consulted_row(styled, 5), "5 pixels"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            call()
        assert "\n" not in str(error.value)
    styled.generator.mapping.mean.add_(1)
    with pytest.raises(ValueError, match="another generator"):
        EncoderInverter(file).invert(styled, images, [])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x80\x02}q\x00.", b"text"])
def test_damaged_files_are_named(tmp_path, content):
    (tmp_path / "bad.pt").write_bytes(content)
    with pytest.raises(ValueError, match="bad.pt"):
        EncoderInverter(str(tmp_path / "bad.pt"))
