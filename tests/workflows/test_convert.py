"""A published checkpoint in, latent_lab's own format out: the same images."""

import sys

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from latent_lab import convert, load_generator
from latent_lab.gans.stylegan2 import StyleGAN2
from tests.checkpoints import layouts, writers


@pytest.fixture
def source(tmp_path):
    model = layouts.random_weights(StyleGAN2(8, 6, 0, [6, 4], 1))
    (tmp_path / "official.pkl").write_bytes(writers.nvidia_pickle(model))
    return tmp_path / "official.pkl"


def run(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)
    monkeypatch.setattr(sys, "argv", ["latent_lab.convert", *arguments])
    GlobalHydra.instance().clear()
    convert.main()


def test_the_converted_file_makes_the_same_images(source, tmp_path, monkeypatch, capsys):
    run(monkeypatch, f"source={source}", f"target={tmp_path}/own.safetensors")
    assert "StyleGAN2 of 8 pixels" in capsys.readouterr().out
    one, other = load_generator(source), load_generator(tmp_path / "own.safetensors")
    codes = one.space("w").sample(2, torch.Generator().manual_seed(0))
    assert one.config == other.config and torch.equal(one.space("w").decode(codes), other.space("w").decode(codes))


def test_named_weights_are_converted(tmp_path, monkeypatch):
    run(monkeypatch, "source=sngan_mnist", f"target={tmp_path}/own.safetensors")
    one, other = load_generator("sngan_mnist"), load_generator(tmp_path / "own.safetensors")
    assert one.config == other.config and all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("source=nowhere.pkl", "target=a.safetensors"), "source must be a file or one of .* got 'nowhere.pkl'"),
        (("source={source}", "target={source}"), "target must be a new file that ends in .safetensors"),
        (("source={source}", "target=a.pt"), "target must be a new file that ends in .safetensors"),
    ],
)
def test_what_is_wrong_is_said(source, arguments, message, monkeypatch):
    before = source.read_bytes()
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, *[argument.format(source=source) for argument in arguments])
    assert source.read_bytes() == before


def test_a_file_of_another_family_is_refused_by_name(source):
    with pytest.raises(ValueError, match="gan.weights must hold a ProgGAN for gan=proggan, got a StyleGAN2 in"):
        load_generator("proggan", weights=str(source))
    with pytest.raises(ValueError, match="does not say which generator it is"):
        from safetensors.torch import save_file

        save_file({"a": torch.zeros(1)}, source.parent / "bare.safetensors")
        load_generator(source.parent / "bare.safetensors")


@pytest.mark.parametrize("layout", ["nvlabs", "rosinality"])
def test_a_plain_state_dict_of_another_repository_comes_back(layout, source, tmp_path, monkeypatch):
    run(monkeypatch, f"source={source}", f"target={tmp_path}/own.pt", f"layout={layout}")
    tree = torch.load(tmp_path / "own.pt", weights_only=True)
    assert ("synthesis.b8.conv0.resample_filter" in tree) if layout == "nvlabs" else ("convs.0.conv.blur.kernel" in tree["g_ema"])
    one, other = load_generator(source), load_generator(tmp_path / "own.pt")
    codes = one.space("w").sample(2, torch.Generator().manual_seed(0))
    torch.testing.assert_close(one.space("w").decode(codes), other.space("w").decode(codes), rtol=1e-5, atol=1e-5)


def test_layouts_are_of_one_family(tmp_path, monkeypatch):
    from latent_lab.gans.sngan import SNGAN

    (tmp_path / "sngan.pt").write_bytes(writers.torch_file(layouts.sngan(layouts.random_weights(SNGAN(12, [8, 8], 1)))))
    with pytest.raises(SystemExit, match="layout must be null or, for a StyleGAN2, one of .*, got 'nvlabs' for a SNGAN"):
        run(monkeypatch, f"source={tmp_path}/sngan.pt", f"target={tmp_path}/own.pt", "layout=nvlabs")
