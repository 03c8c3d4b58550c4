"""``python -m latent_lab.compose`` on a tiny generator."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from PIL import Image

from latent_lab import compose, load_generator
from latent_lab.checkpoints import native
from latent_lab.checkpoints.fusion_files import fusion_bytes
from latent_lab.figures.strips import make_picture
from latent_lab.inversion.fusion.hierarchy import Hierarchy, fuse
from latent_lab.inversion.fusion.net import FusionNet
from latent_lab.inversion.optimisation.i2s import draw_codes

QUICK = (
    "gan=stylegan2",
    "gan.size=tiny",
    "gan.weights=random",
    "application.blocks.latents.steps=2",
    "application.blocks.noise.steps=2",
)


def call(monkeypatch, command, *arguments: str):
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)
    monkeypatch.setattr(sys, "argv", [command.__name__, *arguments, "device=cpu"])
    GlobalHydra.instance().clear()
    command.main()


def run(monkeypatch, folder, *arguments: str):
    call(monkeypatch, compose, *QUICK, f"target={folder}", *arguments)


def test_files_become_a_folder(tmp_path, monkeypatch, capsys):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), np.uint8)
    for i in range(2):
        Image.fromarray(pixels[i]).save(tmp_path / f"{i}.png")
    Image.fromarray(np.pad(np.full((32, 16), 255, np.uint8), ((0, 0), (0, 16)))).save(tmp_path / "mask.png")
    files = f"images=[{tmp_path}/0.png,{tmp_path}/1.png]"
    run(monkeypatch, tmp_path / "out", "application=crossover", files, f"mask={tmp_path}/mask.png")
    assert "psnr, first, inside" in capsys.readouterr().out
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert written == {
        "config.yaml",
        "command.txt",
        "environment.json",
        "codes.safetensors",
        "picture.png",
        "result_1.png",
        "scores.json",
    }
    tensors, about = native.read(tmp_path / "out" / "codes.safetensors")
    assert tensors["latents"].shape == (1, 8, 16) and about["application"] == "crossover" and about["space"] == "w+"
    assert tensors["given.noise.6"].shape == (1, 1, 32, 32)
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert len(scores["psnr, second, outside"]) == 1 and scores["loss of noise"]["steps"] == 2
    with Image.open(tmp_path / "out" / "result_1.png") as picture:
        assert picture.size == (32, 32)
    with pytest.raises(SystemExit, match="already holds a run"):
        run(monkeypatch, tmp_path / "out", "application=crossover", files, f"mask={tmp_path}/mask.png")


def test_samples_give_the_same_bits(tmp_path, monkeypatch):
    for name in ("one", "two"):
        run(
            monkeypatch,
            tmp_path / name,
            "application=inpainting",
            "seeds=[4]",
            "mask=[0.2,0.2,0.6,0.6]",
            "application.completions=2",
        )
    (one, _), (two, _) = (native.read(tmp_path / name / "codes.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    assert (tmp_path / "one" / "result_2.png").read_bytes() == (tmp_path / "two" / "result_2.png").read_bytes()


def test_regions_of_samples_are_fused_in_style_vectors(tmp_path, monkeypatch):
    torch.manual_seed(0)
    network = FusionNet(width=16, hidden=24)
    (tmp_path / "fusion.safetensors").write_bytes(fusion_bytes(network.config, network.state_dict()))
    (tmp_path / "church.json").write_text(json.dumps({"all": "fusion.safetensors"}))
    asked = ("application=fusion", "hierarchy=church", f"hierarchy.weights={tmp_path}/church.json")
    run(monkeypatch, tmp_path / "out", *asked, "seeds=[3,4,5]", "application.regions=[all,background,church]")
    made, about = native.read(tmp_path / "out" / "codes.safetensors")
    generator = load_generator("stylegan2", size="tiny", weights="random")
    space = generator.space("w+")
    codes = [draw_codes(space, 1, torch.Generator().manual_seed(seed)) for seed in (3, 4, 5)]
    expected = fuse(
        Hierarchy({"all": {"church": None, "background": None}}, tmp_path / "church.json"),
        space,
        dict(zip(("all", "background", "church"), codes)),
    )
    assert about["space"] == "s" and torch.equal(made["latents"], expected.latents)
    with Image.open(tmp_path / "out" / "result_1.png") as picture:
        assert (np.array(picture) == np.asarray(make_picture([generator.decode("s", expected)]))).all()
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    run(monkeypatch, tmp_path / "files", *asked, f"images=[{tmp_path}/grey.png,{tmp_path}/grey.png]")
    assert native.read(tmp_path / "files" / "codes.safetensors")[1]["application"] == "fusion"
    for arguments, message in (
        (
            ("seeds=[1]", "application.regions=[sky]"),
            r"regions must hold 'all' and may hold others of \['all', 'church', 'background'\]",
        ),
        (("seeds=[1,2]", "hierarchy.weights=null"), "hierarchy.weights must give a file for 'all'"),
        (("seeds=[1]",), "images or seeds must be 2 for Fusion, got 1"),
        (("seeds=[1,2]", "mask=[0,0,1,0.5]"), "mask must be null for Fusion"),
    ):
        with pytest.raises(SystemExit, match=message):
            run(monkeypatch, tmp_path / "never", *asked, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("application=crossover",), "images or seeds must be 2 for Crossover, got 0"),
        (("application=crossover", "seeds=[1]"), "images or seeds must be 2 for Crossover, got 1"),
        (("seeds=[1]", "images=[a.png]"), "one of the two"),
        (("images=[a.png]",), "a.png"),
        (("application=inpainting", "seeds=[1]"), "mask must be given for Inpainting"),
        (
            ("application=inpainting", "seeds=[1]", "mask=nowhere.png"),
            "mask must be a box, a picture's file or a predictor",
        ),
        (
            ("application=style_transfer", "seeds=[1,2]", "mask=[0,0,1,0.5]"),
            "the style of an image needs the dataset's network",
        ),
        (("seeds=[1]", "gan.space=w"), "gan.space must be w\\+"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, monkeypatch, arguments, message):
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, tmp_path / "out", *arguments)


def test_inversions_are_composed_from_the_codes_that_were_found(tmp_path, monkeypatch):
    from latent_lab import invert

    rng = np.random.default_rng(0)
    for name in ("grey", "noise"):
        Image.fromarray(rng.integers(80, 100 if name == "grey" else 255, (32, 32, 3), np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    steps = ("inverter.blocks.latents.steps=2", "inverter.blocks.noise.steps=2")
    call(
        monkeypatch,
        invert,
        *QUICK[:3],
        *steps,
        "inverter=i2spp",
        f"images={tmp_path}/*.png",
        f"target={tmp_path}/out",
    )
    tensors, about = native.read(tmp_path / "out" / "images" / "grey.safetensors")
    assert about["space"] == "w+" and "given.noise.0" in tensors and tensors["curves.psnr"].shape == (4,)

    where = (f"source={tmp_path}/out", "images=[noise,grey]", "mask=[0,0,1,0.5]")
    run(
        monkeypatch,
        tmp_path / "moved",
        "application=feature_transfer",
        *where,
        "application.layer=3",
        "application.seam=0",
    )
    made = native.read(tmp_path / "moved" / "codes.safetensors")[0]
    first = native.read(tmp_path / "out" / "images" / "noise.safetensors")[0]
    assert torch.equal(made["latents"][0], first["latents"]) and torch.equal(
        made["given.noise.6"][0], first["given.noise.6"]
    )
    assert made["given.mask.3"][..., :8].min() == 1 and made["given.mask.3"][..., 8:].max() == 0
    for arguments, message in (
        (
            (where[0], "images=[noise,red]"),
            r"images must be of the inversion, \['grey', 'noise'\], or null for all, got \['noise', 'red'\]",
        ),
        ((where[0], "seeds=[0,1]"), "seeds \\(samples\\) must be given, one of the two"),
        ((where[0], "seed=5"), "gan must be the generator that source was inverted on, gan=stylegan2 with hash"),
        ((f"source={tmp_path}/moved",), "source must be the folder of an inversion"),
    ):
        with pytest.raises(SystemExit, match=message):
            run(
                monkeypatch,
                tmp_path / "never",
                "application=feature_transfer",
                where[2],
                "application.layer=3",
                *arguments,
            )
    assert not (tmp_path / "never" / "config.yaml").exists()
