"""``edit correction=hfgi_sf`` from photographs to pictures, with networks that are not trained."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from PIL import Image
from torch import nn

from latent_lab import edit, invert, load_run
from latent_lab.checkpoints import native
from latent_lab.checkpoints.fusion_files import fusion_bytes
from latent_lab.editing.inversions import Inversions
from latent_lab.figures.strips import make_picture
from latent_lab.gans.codes import Codes
from latent_lab.inversion.encoders.files import encoder_bytes
from latent_lab.inversion.encoders.style_encoder import StyleEncoder
from latent_lab.inversion.fusion.hierarchy import Hierarchy, fuse
from latent_lab.inversion.fusion.net import FusionNet
from latent_lab.inversion.hfgi.distortion import ConsultationEncoder, DistortionAlignment

TINY = ("gan=stylegan2", "gan.size=tiny", "gan.weights=random")


class LeftHalf(nn.Module):
    def forward(self, images):
        mask = torch.zeros_like(images[:, :1])
        mask[..., : images.shape[-1] // 2] = 1
        return mask


def call(monkeypatch, command, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [command.__name__, *arguments])
    GlobalHydra.instance().clear()
    command.main()


@pytest.fixture
def networks(tmp_path):
    """Files of HFGI and of a fusion network."""
    torch.manual_seed(0)
    encoder = StyleEncoder(8, 16, resolution=32, widths=(4, 8, 12, 16), depths=(1, 1, 1, 1), reduction=2, head_width=8)
    consultation = ConsultationEncoder(16, 32, widths=(4, 4, 4))
    for head in (consultation.condition_scale3, consultation.condition_shift3):
        nn.init.normal_(head[2].weight, std=0.05)
    parts = {"encoder": encoder, "grid_align": DistortionAlignment(widths=(4, 4, 8, 8)), "residue": consultation}
    (tmp_path / "hfgi.safetensors").write_bytes(encoder_bytes(parts, torch.zeros(8, 16), 1, {"generator": "0"}))
    network = FusionNet(width=16, hidden=24)
    (tmp_path / "fusion.safetensors").write_bytes(fusion_bytes(network.config, network.state_dict()))
    (tmp_path / "hierarchy.json").write_text(json.dumps({"all": "fusion.safetensors"}))
    return tmp_path / "hfgi.safetensors", tmp_path / "hierarchy.json"


def test_a_photograph_is_edited_before_its_own_background(train, no_scores, networks, tmp_path, monkeypatch):
    monkeypatch.setattr("latent_lab.attributes.faces.selfie.PersonMask", LeftHalf)
    weights, hierarchy = networks
    run = train("debug=fast", "logger=csv", *TINY, "method=random", tiny=False)
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    inverter = ("inverter=hfgi", f"inverter.weights={weights}")
    call(monkeypatch, invert, *TINY, *inverter, f"images={tmp_path}/a.png", "target=inverted", "perceptual=null")
    asked = (f"run={run}", "source=inverted", "edits={path0: 2}", "walk=null", "steps=3")
    call(
        monkeypatch,
        edit,
        *asked,
        f"correction={{inverter: hfgi_sf, hierarchy: {{weights: {hierarchy}}}}}",
        "target=fused",
    )
    call(monkeypatch, edit, *asked, "correction=hfgi", "target=corrected")

    (fused, about), (corrected, _) = (
        native.read(tmp_path / folder / "latents" / "a.safetensors") for folder in ("fused", "corrected")
    )
    space, inversions = load_run(run)[0].generator.space("w+"), Inversions.open(tmp_path / "inverted")
    codes, edited = inversions.codes("a"), corrected["latents"]
    tree = {"all": {"person": None, "background": None}}
    expected = fuse(Hierarchy(tree, hierarchy), space, {"all": codes.moved(edited), "background": codes})
    assert about["space"] == "s" and torch.equal(fused["latents"], expected.latents)
    assert torch.equal(fused["before"], space.generator.convert(codes, "w+", "s").latents)
    for name in ("given.scale.1", "given.shift.1"):
        torch.testing.assert_close(fused[name][..., :4], corrected[name][..., :4])
        assert not fused[name][..., 4:].any() and corrected[name][..., 4:].any()
    given = {name.removeprefix("given."): value for name, value in fused.items() if name.startswith("given.")}
    image = space.generator.decode("s", Codes(expected.latents, given))
    assert (np.array(Image.open(tmp_path / "fused" / "images" / "a.png")) == np.asarray(make_picture([image]))).all()

    for correction, message in (
        ("hfgi_sf", "hierarchy.weights must give a file for 'all'"),
        ("{inverter: hfgi_sf, hfgi: {weights: nowhere}}", "weights must be a file of a trained encoder, got 'nowhere'"),
        (
            "{inverter: hfgi_sf, weights: x}",
            r"correction takes of inverter=hfgi_sf the options \['background', 'hfgi', .*'weights'\]",
        ),
    ):
        with pytest.raises(SystemExit, match=message):
            call(monkeypatch, edit, *asked, f"correction={correction}", "target=never")
    assert not (tmp_path / "never").exists()


def test_it_inverts_as_hfgi_does(networks, tmp_path, monkeypatch):
    monkeypatch.setattr("latent_lab.attributes.faces.selfie.PersonMask", LeftHalf)
    monkeypatch.chdir(tmp_path)
    weights, hierarchy = networks
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(tmp_path / "a.png")
    common = (*TINY, f"images={tmp_path}/a.png", "perceptual=null")
    call(monkeypatch, invert, *common, "inverter=hfgi", f"inverter.weights={weights}", "target=one")
    both = (f"inverter.hfgi.weights={weights}", f"inverter.hierarchy.weights={hierarchy}")
    call(monkeypatch, invert, *common, "inverter=hfgi_sf", *both, "target=other")
    one, other = (native.read(tmp_path / folder / "images" / "a.safetensors")[0] for folder in ("one", "other"))
    assert one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
