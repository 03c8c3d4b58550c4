"""``python -m latent_lab.compose`` on a tiny generator."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from PIL import Image

from latent_lab import compose
from latent_lab.checkpoints import native

QUICK = ("gan=stylegan2", "gan.size=tiny", "gan.weights=random", "application.blocks.latents.steps=2", "application.blocks.noise.steps=2")


def run(monkeypatch, folder, *arguments: str):
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)
    monkeypatch.setattr(sys, "argv", ["latent_lab.compose", *QUICK, f"hydra.run.dir={folder}", "device=cpu", *arguments])
    GlobalHydra.instance().clear()
    compose.main()


def test_files_become_a_folder(tmp_path, monkeypatch, capsys):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), np.uint8)
    for i in range(2):
        Image.fromarray(pixels[i]).save(tmp_path / f"{i}.png")
    Image.fromarray(np.pad(np.full((32, 16), 255, np.uint8), ((0, 0), (0, 16)))).save(tmp_path / "mask.png")
    files = f"images=[{tmp_path}/0.png,{tmp_path}/1.png]"
    run(monkeypatch, tmp_path / "out", "application=crossover", files, f"mask={tmp_path}/mask.png")
    assert "psnr, first, inside" in capsys.readouterr().out
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert written == {"config.yaml", "command.txt", "environment.json", "codes.safetensors", "picture.png", "result_1.png", "scores.json"}
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
        run(monkeypatch, tmp_path / name, "application=inpainting", "seeds=[4]", "mask=[0.2,0.2,0.6,0.6]", "application.completions=2")
    (one, _), (two, _) = (native.read(tmp_path / name / "codes.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    assert (tmp_path / "one" / "result_2.png").read_bytes() == (tmp_path / "two" / "result_2.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("application=crossover",), "images or seeds must be 2 for Crossover, got 0"),
        (("application=crossover", "seeds=[1]"), "images or seeds must be 2 for Crossover, got 1"),
        (("seeds=[1]", "images=[a.png]"), "one of the two"),
        (("images=[a.png]",), "a.png"),
        (("application=inpainting", "seeds=[1]"), "mask must be given for Inpainting"),
        (("application=inpainting", "seeds=[1]", "mask=nowhere.png"), "mask must be a box, a picture's file or a predictor"),
        (("application=style_transfer", "seeds=[1,2]", "mask=[0,0,1,0.5]"), "the style of an image needs the dataset's network"),
        (("seeds=[1]", "gan.space=w"), "gan.space must be w\\+"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, monkeypatch, arguments, message):
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, tmp_path / "out", *arguments)


def test_the_inverter_is_a_choice_of_invert(tmp_path, monkeypatch):
    from latent_lab import invert

    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    steps = ("inverter.blocks.latents.steps=2", "inverter.blocks.noise.steps=2")
    arguments = (*QUICK[:3], *steps, "inverter=i2spp", f"images={tmp_path}/grey.png", f"hydra.run.dir={tmp_path}/out", "device=cpu")
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)
    monkeypatch.setattr(sys, "argv", ["latent_lab.invert", *arguments])
    GlobalHydra.instance().clear()
    invert.main()
    tensors, about = native.read(tmp_path / "out" / "images" / "grey.safetensors")
    assert about["space"] == "w+" and "given.noise.0" in tensors and tensors["curves.psnr"].shape == (4,)
