"""Paths that are trained on a cheaper generator of the same latents, and scored on the real one."""

import json

import pytest
import torch
from hydra import compose, initialize_config_dir

from latent_lab.gans.mobilestylegan import MobileStyleGAN
from latent_lab.installation import CONF
from latent_lab.pretraining.exits import early_exit
from latent_lab.reconstructors.resnet import ResNetReconstructor
from latent_lab.workflows.convert import generator_bytes
from latent_lab.workflows.discover import preview_of

ARGUMENTS = (
    "debug=fast",
    "gan=mobilestylegan_256",
    "dataset=colour",
    "method=linear",
    "reconstructor=resnet18",
    "logger=csv",
)


def test_training_sees_the_preview_and_scores_the_whole(train, tmp_path, monkeypatch):
    torch.manual_seed(0)
    whole = MobileStyleGAN(16, 16, [16, 16, 16, 8], mapping_layers=2).eval()
    (tmp_path / "mobilestylegan_256.safetensors").write_bytes(generator_bytes(whole))
    (tmp_path / "mobilestylegan_64.safetensors").write_bytes(generator_bytes(early_exit(whole, 16)))
    monkeypatch.setenv("LATENT_LAB_HOME", str(tmp_path))
    seen, decoded = set(), set()
    read, synthesise = ResNetReconstructor.forward, MobileStyleGAN.synthesise

    def reconstruct(self, before, after):
        seen.add(before.shape[-1])
        return read(self, before, after)

    def decode(self, w, given):
        images = synthesise(self, w, given)
        decoded.add(images.shape[-1])
        return images

    monkeypatch.setattr(ResNetReconstructor, "forward", reconstruct)
    monkeypatch.setattr(MobileStyleGAN, "synthesise", decode)
    run = train(*ARGUMENTS, tiny=False)
    assert seen == {16} and decoded == {16, 64}
    assert (
        json.loads((run / "metrics.json").read_text())["fast"]["draws"]["0"]["scores"]["commutativity/swap/latents"][
            "mean"
        ]
        < 1e-4
    )


@pytest.mark.parametrize(("weights", "pixels"), [("null", 64), ("random", None), ("mine.safetensors", None)])
def test_other_weights_have_no_preview(weights, pixels):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        preview = preview_of(compose("train", ["gan=mobilestylegan_256", f"gan.weights={weights}"]).gan)
    assert (
        preview is None
        if pixels is None
        else preview.generator.pixels == pixels and preview.source.file == "mobilestylegan_64.safetensors"
    )
