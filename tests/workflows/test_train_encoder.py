"""The command from nothing to encoders that ``invert`` can use, and on from where it was stopped."""

import json
import sys

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from PIL import Image
from safetensors.torch import load_file

from latent_lab import train_encoder as command
from latent_lab.gans.mobilestylegan import MobileStyleGAN
from latent_lab.inversion.encoders.encoder import EncoderInverter
from latent_lab.inversion.hfgi.hfgi import HFGI
from latent_lab.pretraining.exits import early_exit
from latent_lab.workflows.convert import generator_bytes

TINY = (
    *(
        "gan=stylegan2",
        "gan.weights=random",
        "gan.size=tiny",
        "debug=fast",
        "held_out=4",
        "logger=[]",
        "encoder.batch_size=2",
    ),
    *("encoder.objective.features=0", "encoder.objective.identity=0"),
)
NETWORK = "encoder.network={resolution: 32, widths: [4, 8, 12, 16], depths: [1, 1, 1, 1], reduction: 2, head_width: 8}"


@pytest.fixture
def train_encoder(tmp_path, monkeypatch):
    """``train_encoder("run", ...)`` runs the command in ``tmp_path`` and returns the run's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)

    def run(name: str, *arguments: str):
        folder = [f"target={name}"] if arguments else [f"run={tmp_path / name}"]
        monkeypatch.setattr(sys, "argv", ["latent_lab.train_encoder", *arguments, *folder])
        GlobalHydra.instance().clear()
        command.main()
        return tmp_path / name

    return run


def test_a_continued_run_ends_with_the_same_bits_and_hfgi_builds_on_it(train_encoder, capfd):
    run = train_encoder(
        "e4e", *TINY, NETWORK, "encoder=e4e_small", "encoder.first=1", "encoder.every=1", "encoder.slope_every=2"
    )
    scores = json.loads((run / "metrics.json").read_text())
    assert {"samples_psnr", "samples_latents_error"} <= scores.keys() and (run / "samples.png").stat().st_size > 1000
    whole = load_file(run / "encoder.safetensors")
    assert EncoderInverter(str(run / "encoder.safetensors"), editable=True).encoder.network.deltas == 5
    (run / "encoder.safetensors").unlink()
    (run / "checkpoints" / "last.ckpt").unlink()  # as if it had been stopped after the step before
    train_encoder("e4e")
    assert "continued from previous.ckpt" in capfd.readouterr().out
    again = load_file(run / "encoder.safetensors")
    assert whole.keys() == again.keys() and all(torch.equal(value, again[name]) for name, value in whole.items())

    small = (
        "encoder.alignment.widths=[4,4,4,4]",
        "encoder.consultation={widths: [4, 4, 4], head_width: 4}",
        "encoder.resolution=32",
    )
    hfgi = train_encoder("hfgi", *TINY, "encoder=hfgi_small", f"encoder.weights={run / 'encoder.safetensors'}", *small)
    assert HFGI(str(hfgi / "encoder.safetensors")).resolution == 32
    kept = load_file(hfgi / "encoder.safetensors")
    assert all(torch.equal(kept[name], value) for name, value in whole.items())


def test_images_of_a_folder(train_encoder, tmp_path):
    rng = torch.Generator().manual_seed(0)
    (tmp_path / "pictures").mkdir()
    for i in range(8):
        pixels = torch.randint(256, (40, 40, 3), generator=rng, dtype=torch.uint8).numpy()
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{i}.png")
    data = (
        "dataset=folder",
        f"dataset.data.folder={tmp_path / 'pictures'}",
        "dataset.data.batch_size=2",
        "dataset.data.held_out=2",
        "dataset.data.resolution=32",
    )
    run = train_encoder(
        "restyle", *TINY, *data, NETWORK, "encoder=restyle_small", "encoder.objective.latents=0", "images=dataset"
    )
    scores = json.loads((run / "metrics.json").read_text())
    assert {"samples_psnr", "pictures_psnr"} <= scores.keys() and (run / "pictures.png").exists()
    assert EncoderInverter(str(run / "encoder.safetensors")).passes(3) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("images=both",), "images must be one of ['samples', 'dataset'], got 'both'"),
        (("images=dataset",), "which has no images"),
        (("encoder=hfgi_small",), "train_encoder encoder="),
        (("encoder.objective.features=1",), "objective.features must be 0"),
    ],
)
def test_bad_input_is_one_line(train_encoder, arguments, message):
    with pytest.raises(SystemExit) as stop:
        train_encoder("bad", *TINY, *arguments)
    assert message in str(stop.value.code) and "\n" not in str(stop.value.code)


@pytest.mark.parametrize(("resolution", "pixels"), [(32, 32), (64, 128)])
def test_an_encoder_that_sees_few_pixels_learns_from_the_preview(
    resolution, pixels, train_encoder, tmp_path, monkeypatch
):
    torch.manual_seed(0)
    whole = MobileStyleGAN(16, 16, [16, 16, 16, 16, 8], mapping_layers=2).eval()
    (tmp_path / "mobilestylegan_256.safetensors").write_bytes(generator_bytes(whole))
    (tmp_path / "mobilestylegan_64.safetensors").write_bytes(generator_bytes(early_exit(whole, 32)))
    monkeypatch.setenv("LATENT_LAB_HOME", str(tmp_path))
    decoded, synthesise = set(), MobileStyleGAN.synthesise

    def decode(self, w, given):
        images = synthesise(self, w, given)
        decoded.add((torch.is_grad_enabled(), images.shape[-1]))
        return images

    monkeypatch.setattr(MobileStyleGAN, "synthesise", decode)
    arguments = [argument for argument in TINY if not argument.startswith("gan")]
    run = train_encoder(
        "psp", *arguments, "gan=mobilestylegan_256", "encoder=psp_small", NETWORK.replace("32", str(resolution), 1)
    )
    assert decoded == {(True, pixels), (False, pixels), (False, 128)}  # steps, their examples, and what is judged
    assert json.loads((run / "metrics.json").read_text())["samples_psnr"] > 0
    rows = load_file(run / "encoder.safetensors")
    assert sum(name.endswith("linear.weight") for name in rows) == whole.space("w+").shape[0]
