"""``python -m latent_lab.invert``: from pictures to a folder of codes that gives the same images again."""

from __future__ import annotations

import csv
import json
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from PIL import Image

from latent_lab.checkpoints import native
from latent_lab.editing.inversions import Inversions
from latent_lab.ops.psnr import psnr
from tests.idx_files import write_idx
from tests.workflows.conftest import newest_run, start

TINY = ("gan=stylegan2", "gan.weights=random", "gan.size=tiny", "inverter.steps=2", "perceptual=null", "batch_size=2")


@pytest.fixture
def photographs(tmp_path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("a.png", (32, 32)), ("b.jpg", (40, 56)), ("c, d.png", (64, 32))):
        Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)).save(folder / name)
    return folder


@pytest.fixture
def invert(tmp_path, monkeypatch):
    """``invert("images=...", ...)`` runs the command in ``tmp_path`` and returns its folder."""
    from latent_lab import invert as command

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hydra._internal.utils.is_under_debugger", lambda: False)

    def run(*arguments: str) -> Path:
        monkeypatch.setattr(sys, "argv", ["latent_lab.invert", *arguments])
        GlobalHydra.instance().clear()
        command.main()
        return newest_run(tmp_path)

    return run


def reconstruction(found: Inversions, name: str) -> torch.Tensor:
    with torch.no_grad():
        return found.tuned_space(found.space(), name).decode(found.codes(name))


@pytest.mark.parametrize("inverter", ["i2s", "projector", "pti", "pti inverter@inverter.pivot=i2s"])
def test_what_is_kept_makes_the_picture_again(inverter, invert, photographs):
    extra = {
        "projector": ("inverter.pixels=1",),
        "pti": ("inverter.pivot.steps=2", "inverter.pivot.pixels=1", "inverter.locality=0.1"),
    }
    inverter, *pivot = inverter.split()
    folder = invert(f"images={photographs}", f"inverter={inverter}", *TINY, *pivot, *extra.get(inverter, ()))
    found = Inversions.open(folder)
    assert folder.parent.name == f"{inverter}-stylegan2" and found.list_names() == ["a", "b", "c, d"]
    assert found.space().name == ("w+" if inverter == "i2s" or pivot else "w")
    scores = json.loads((folder / "scores.json").read_text())
    for name in found.list_names():
        target = found.target(name)
        expected = psnr(reconstruction(found, name), target[None]).item()
        assert scores["pictures"][name]["psnr"] == pytest.approx(expected, abs=0.01)
        assert {"ssim", "mse", "seconds", "steps"} <= scores["pictures"][name].keys()
        with Image.open(folder / "pictures" / f"{name}.png") as picture:
            assert picture.size == (2 * 32 + 2, 32)
    assert bool(found.read_tuned("a")) == (inverter == "pti")
    assert (
        found.target("a")
        == torch.from_numpy(np.asarray(Image.open(photographs / "a.png")).copy()).permute(2, 0, 1) / 127.5 - 1
    ).all()
    assert found.codes(["a", "b"]).latents.shape == (2, *found.space().shape)
    assert (folder / "scores.csv").read_text().splitlines()[3].startswith('"c, d",')
    for file in ("overview.png", "environment.json", "command.txt"):
        assert (folder / file).is_file()
    with pytest.raises(ValueError, match=r"holds inversions of \['a', 'b', 'c, d'\], got 'e'"):
        found.codes("e")


@pytest.mark.parametrize("inverter", ["i2s", "i2spp", "pti"])
def test_in_half_precision_codes_are_whole_and_the_result_about_the_same(inverter, invert, photographs):
    extra = ("inverter.pivot.pixels=1", "inverter.pivot.steps=2") if inverter == "pti" else ()
    steps = (
        ("inverter.blocks.latents.steps=4", "inverter.blocks.noise.steps=4")
        if inverter == "i2spp"
        else ("inverter.steps=4",)
    )
    common = (
        f"images={photographs / 'a.png'}",
        f"inverter={inverter}",
        *(a for a in TINY if "steps" not in a),
        *steps,
        *extra,
    )
    whole, half = (Inversions.open(invert(*common, f"target={p}", f"precision={p}")) for p in ("32-true", "bf16-mixed"))
    first, second = whole.read("a")[0], half.read("a")[0]
    assert {value.dtype for key, value in second.items() if key != "target"} == {torch.float32}
    assert not torch.equal(first["latents"], second["latents"])
    assert psnr(reconstruction(whole, "a"), reconstruction(half, "a")).item() > 25


def test_an_interrupted_inversion_continues_to_the_same_bits(invert, photographs, monkeypatch, tmp_path):
    whole = invert(f"images={photographs}", *TINY, "batch_size=1", "target=whole")
    from latent_lab.inversion.optimisation.i2s import Image2StyleGAN

    usual, calls = Image2StyleGAN.invert, []

    def stopping(self, *arguments, **options):
        calls.append(None)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return usual(self, *arguments, **options)

    monkeypatch.setattr(Image2StyleGAN, "invert", stopping)
    with pytest.raises(SystemExit, match="continues? with run="):
        invert("images=photographs", *TINY, "batch_size=1", "target=part")
    part = Inversions.open(tmp_path / "part")
    assert part.list_names() == ["a"]
    monkeypatch.chdir(photographs)  # the place of the pictures was kept, not the way to it
    invert(f"run={tmp_path / 'part'}")
    assert len(calls) == 4 and part.list_names() == ["a", "b", "c, d"]
    for name in part.list_names():
        assert torch.equal(part.codes(name).latents, Inversions.open(whole).codes(name).latents)
    with pytest.raises(SystemExit, match="takes no other argument"):
        invert(f"run={tmp_path / 'part'}", "inverter.steps=9")


def kept(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """All that was found for each picture."""
    found = Inversions.open(folder)
    return {name: found.read(name)[0] for name in found.list_names()}


def same_bits(one: Path, other: Path) -> bool:
    first, second = kept(one), kept(other)
    return first.keys() == second.keys() and all(
        first[name].keys() == second[name].keys()
        and all(torch.equal(value.nan_to_num(7), second[name][key].nan_to_num(7)) for key, value in first[name].items())
        for name in first
    )


@pytest.mark.parametrize(
    "number, arguments",
    [
        (signal.SIGKILL, ("inverter=projector", "inverter.pixels=1", "inverter.steps=120")),
        (signal.SIGTERM, ("inverter=i2s", "inverter.steps=120", "keep_every=1e6")),
    ],
)
def test_a_process_that_is_stopped_within_a_batch_continues_there(
    number, arguments, invert, photographs, tmp_path, capsys
):
    arguments = (f"images={photographs}", *TINY, "keep_every=0.05", *arguments)
    whole = invert(*arguments, "target=whole")
    process = start(tmp_path, *arguments, "target=part", module="latent_lab.invert")
    state = tmp_path / "part" / "state"
    end = time.monotonic() + 100
    while (
        not (state / ("1.safetensors" if number == signal.SIGKILL else "batch.json")).exists()
        and time.monotonic() < end
    ):
        time.sleep(0.005)
    time.sleep(0.3)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0 and "Traceback" not in output, output
    assert (state / "1.safetensors").exists() and Inversions.open(tmp_path / "part").list_names() == []
    capsys.readouterr()
    invert(f"run={tmp_path / 'part'}")
    assert " continues at step " in capsys.readouterr().out and same_bits(tmp_path / "part", whole)
    assert not state.exists()


def test_a_batch_stays_together_when_it_is_stopped_between_its_pictures(invert, photographs, monkeypatch, tmp_path):
    whole, write = invert(f"images={photographs}", *TINY, "target=whole"), Inversions.write

    def stopping(self, name: str, *arguments) -> None:
        write(self, name, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Inversions, "write", stopping)
        invert(f"images={photographs}", *TINY, "target=part")
    assert Inversions.open(tmp_path / "part").list_names() == ["a"]
    invert(f"run={tmp_path / 'part'}")
    assert same_bits(tmp_path / "part", whole)


def test_a_state_of_pictures_that_are_done_is_removed(invert, photographs):
    folder = invert(f"images={photographs}", *TINY)
    (folder / "state").mkdir()
    (folder / "state" / "batch.json").write_text('{"pictures": {"a": "", "b": ""}}')
    invert(f"run={folder}")
    assert not (folder / "state").exists()


def test_a_picture_called_overview_keeps_its_own(invert, photographs, capsys):
    (photographs / "a.png").rename(photographs / "overview.png")
    folder = invert(f"images={photographs}", *TINY)
    with Image.open(folder / "pictures" / "overview.png") as one, Image.open(folder / "overview.png") as all_of_them:
        assert one.size == (2 * 32 + 2, 32) and all_of_them.size != one.size
    assert f"see {folder / 'overview.png'}" in capsys.readouterr().out


def test_names_are_text_in_the_table(invert, photographs):
    (photographs / "a.png").rename(photographs / "=1+1.png")
    folder = invert(f"images={photographs}", *TINY)
    with open(folder / "scores.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["picture"] for row in rows] == ["'=1+1", "b", "c, d"] and all(float(row["psnr"]) > 0 for row in rows)


def test_what_a_strangers_folder_holds_ends_in_one_line(invert, photographs):
    folder = invert(f"images={photographs}", *TINY)
    Image.new("RGB", (70, 32)).save(folder / "pictures" / "b.png")
    with pytest.raises(SystemExit, match=r"pictures must hold pictures of one size, got another in b\.png$"):
        invert(f"run={folder}")
    (folder / "pictures" / "b.png").write_bytes(b"no picture")
    with pytest.raises(SystemExit, match=r"b\.png cannot be read as a picture"):
        invert(f"run={folder}")
    file = folder / "images" / "b.safetensors"
    tensors, about = native.read(file)
    for wrong in ({"scores": [1]}, {"space": "zz"}, {"generator": None}, {"format": 2}):
        file.write_bytes(native.to_bytes(tensors, about | wrong))
        if "space" in wrong:  # said where codes are used
            with pytest.raises(ValueError, match=r"b\.safetensors must be of one of the spaces"):
                Inversions.open(folder).tuned_space(Inversions.open(folder).space(), "b")
            continue
        with pytest.raises(SystemExit, match=r"b\.safetensors must ") as stop:
            invert(f"run={folder}")
        assert "\n" not in str(stop.value)


def test_unusable_pictures_are_named_and_the_others_go_on(invert, photographs, capsys):
    (photographs / "cut.png").write_bytes((photographs / "a.png").read_bytes()[:100])
    with pytest.raises(
        SystemExit, match=r"latent_lab: 1 of 4 pictures were left out: cut \(.*cut\.png cannot be read as a picture"
    ) as stop:
        invert(f"images={photographs}", *TINY)
    assert "\n" not in str(stop.value)
    output = capsys.readouterr()
    assert "cut is left out: " in output.err and "b: 56x40 pixels made 32x32, its middle square" in output.out
    folder = newest_run(photographs.parent)
    assert (
        Inversions.open(folder).list_names() == ["a", "b", "c, d"]
        and "cut" in json.loads((folder / "scores.json").read_text())["failed"]
    )


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_held_out_digits_are_found_in_z(precision, invert, monkeypatch, tmp_path):
    digits = torch.randint(256, (1100, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    write_idx(tmp_path / "data" / "mnist" / "train-images-idx3-ubyte.gz", digits)
    write_idx(tmp_path / "data" / "mnist" / "train-labels-idx1-ubyte.gz", torch.arange(1100, dtype=torch.uint8) % 10)
    monkeypatch.setenv("LATENT_LAB_DATA", str(tmp_path / "data"))
    folder = invert("images=held_out", "count=2", "inverter.steps=6", "perceptual=null", f"precision={precision}")
    found = Inversions.open(folder)
    assert found.list_names() == ["mnist-0000", "mnist-0001"] and found.space().name == "z"
    assert json.loads((folder / "scores.json").read_text())["mean"]["identity_error"] >= 0
    assert len(found.read("mnist-0000")[0]["curves.psnr"].unique()) > 4  # every step sees the latents of the last


def test_the_generator_must_be_the_one(invert, photographs):
    folder = invert(f"images={photographs / 'a.png'}", *TINY)
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("seed: 0", "seed: 1"))  # other random weights
    with pytest.raises(ValueError, match=r"was made on a generator with hash \w{12}, but gan\.weights has \w{12}"):
        Inversions.open(folder).space()
    (folder / "config.yaml").write_text(
        OmegaConf.to_yaml({k: v for k, v in OmegaConf.create(config).items() if k != "inverter"})
    )
    with pytest.raises(ValueError, match="source must be the folder of an inversion"):
        Inversions.open(folder)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((), r"images must be a file, a folder, a list or pattern of them, or held_out, got nothing"),
        (("images=none.png",), r"images must be pictures .*none\.png'?, which has none"),
        (("images=photographs", "batch_size=0"), r"batch_size .*must be .*1.*, got 0"),
        (("images=photographs", "keep_every=0"), r"keep_every must be a .*number above 0, got 0"),
        (("images=photographs", "precision=16"), r"precision must be .*'32-true'.* 'bf16-mixed'.*, got 16"),
        (("images=photographs", "align=eyes"), r"align must be one of .*'none', 'ffhq'.*, got 'eyes'"),
        (("images=photographs", "space=s+"), r"space must be one of .*'z', 'w', .*, got 's\+'"),
        (
            ("images=photographs", "inverter=projector"),
            r"inverter\.pixels must be positive where inverter\.features .* is null",
        ),
        (("images=held_out",), r"images=held_out needs a dataset with images, got dataset=colour"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message, invert, photographs):
    with pytest.raises(SystemExit, match=message) as stop:
        invert(*TINY, *arguments)
    assert "\n" not in str(stop.value)
