"""A published checkpoint in, latent_lab's own format out: the same images."""

import sys

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from latent_lab import convert, load_generator, load_run
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.runs import Run
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
    assert (
        ("synthesis.b8.conv0.resample_filter" in tree)
        if layout == "nvlabs"
        else ("convs.0.conv.blur.kernel" in tree["g_ema"])
    )
    one, other = load_generator(source), load_generator(tmp_path / "own.pt")
    codes = one.space("w").sample(2, torch.Generator().manual_seed(0))
    torch.testing.assert_close(one.space("w").decode(codes), other.space("w").decode(codes), rtol=1e-5, atol=1e-5)


def test_layouts_are_of_one_family(tmp_path, monkeypatch):
    from latent_lab.gans.sngan import SNGAN

    (tmp_path / "sngan.pt").write_bytes(writers.torch_file(layouts.sngan(layouts.random_weights(SNGAN(12, [8, 8], 1)))))
    with pytest.raises(
        SystemExit, match="layout must be null or, for a StyleGAN2, one of .*, got 'nvlabs' for a SNGAN"
    ):
        run(monkeypatch, f"source={tmp_path}/sngan.pt", f"target={tmp_path}/own.pt", "layout=nvlabs")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt"])
def test_a_runs_directions_go_out_and_come_back_in(suffix, train, no_scores, tmp_path, monkeypatch, capsys):
    made = train("method=sefa", "method.num_paths=3")
    target = tmp_path / f"mine{suffix}"
    run(monkeypatch, f"run={made}", f"target={target}")
    assert "3 directions of space z, (3, 16)" in capsys.readouterr().out
    again = train("method=imported", f"method.files={target}")
    (_, one, _), (_, other, _) = load_run(made), load_run(again)
    torch.testing.assert_close(one.matrix(), other.matrix())
    assert Run(again).read_json("findings.json")["names"] == ["mine.0", "mine.1", "mine.2"]
    run(monkeypatch, f"run={again}", f"target={tmp_path}/one{suffix}", "path=mine.1")
    paths = load_run(train("method=imported", f"method.files={tmp_path}/one{suffix}"))[1]
    torch.testing.assert_close(paths.matrix(), one.matrix()[:, 1:2])


def test_directions_of_layers_keep_their_layers(train, no_scores, tmp_path, monkeypatch):
    style = ("debug=fast", "logger=csv", "gan=stylegan2", "gan.size=tiny", "gan.weights=random", "gan.space=w+")
    made = train(*style, "method=sefa", "method.layers=2-3", tiny=False)
    run(monkeypatch, f"run={made}", f"target={tmp_path}/mine.npy")
    again = train(*style, "method=imported", f"method.files={tmp_path}/mine.npy", tiny=False)
    (space, one, _), (_, other, _) = load_run(made), load_run(again)
    codes, k = space.sample(4, torch.Generator().manual_seed(0)), torch.arange(4)
    moved = other.shift(codes.latents, k, torch.ones(4))
    torch.testing.assert_close(moved, one.shift(codes.latents, k, torch.ones(4)))
    assert torch.equal(moved[:, :2], codes.latents[:, :2])


def test_what_is_no_direction_is_said(train, no_scores, tmp_path, monkeypatch):
    bent, straight = train("method=curvilinear"), train("method=random")
    for arguments, message in (
        (
            (f"run={bent}", "target=a.npy"),
            "run must hold straight paths to be written as directions, got CurvilinearPaths",
        ),
        ((f"run={straight}", "target=a.safetensors"), "target must be a new file that ends in one of"),
        ((f"run={straight}", "target=a.npy", "path=smile"), "are called path0 to path3, got 'smile'"),
        ((f"run={straight}", "target=a.npy", "source=sngan_mnist"), "one of source .* and run .* must be given"),
        (("target=a.npy",), "one of source .* and run .* must be given"),
        ((f"run={straight}", "target=a.npy", "layout=nvlabs"), "layout and pixels must be null"),
    ):
        with pytest.raises(SystemExit, match=message):
            run(monkeypatch, *arguments)
    with pytest.raises(SystemExit, match="method.files must be a file of directions"):
        train("method=imported")
