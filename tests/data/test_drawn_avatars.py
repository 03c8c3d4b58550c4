"""The avatars that experiments/avatars/draw.js draws: the same bytes again, with their true attributes."""

from __future__ import annotations

import csv
import shutil
import subprocess

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from latent_lab.data.images import read_idx
from latent_lab.installation import CONF

FOLDER = CONF.parent / "experiments" / "avatars"
pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (FOLDER / "node_modules" / "@dicebear").is_dir(),
    reason="needs node and npm ci --prefix experiments/avatars",
)


def draw(folder, *arguments: str) -> None:
    subprocess.run(
        ["node", FOLDER / "draw.js", "--out", folder, *arguments], check=True, capture_output=True, timeout=60
    )


def test_the_same_options_draw_the_same_bytes(tmp_path):
    for name, seed in (("one", "0"), ("same", "0"), ("other", "1")):
        draw(tmp_path / name, "--num", "12", "--seed", seed)
    for file in ("images.idx.gz", "labels.idx.gz", "attributes.csv"):
        one, same, other = ((tmp_path / name / file).read_bytes() for name in ("one", "same", "other"))
        assert one == same != other


def test_the_drawings_have_their_attributes(tmp_path):
    draw(tmp_path, "--num", "40", "--resolution", "64")
    images = read_idx(tmp_path / "images.idx.gz")
    with open(tmp_path / "attributes.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert images.shape == (40, 64, 64, 3) and len(rows) == 40 and read_idx(tmp_path / "labels.idx.gz").max() < 12
    backgrounds = [tuple(bytes.fromhex(row["drawn.backgroundColor"])) for row in rows]
    assert [tuple(image[40, 0].tolist()) for image in images] == backgrounds
    values = OmegaConf.load(CONF / "dataset" / "avatars.yaml").attributes.parts[0]["values"]
    assert all(float(row[name]) in values[name] for row in rows for name in values)
    assert {bool(row["drawn.hat"]) == (row["hat"] == "1") for row in rows} == {True}


def test_the_shipped_classifier_reads_the_drawings(tmp_path):
    """On avatars of another seed than those that it was trained on."""
    draw(tmp_path, "--num", "100", "--seed", "7")
    config = OmegaConf.merge({"seed": 0}, {"dataset": OmegaConf.load(CONF / "dataset" / "avatars.yaml")})
    config.dataset.data.merge_with({"folder": str(tmp_path), "held_out": 10})
    data, attributes = instantiate(config.dataset.data), instantiate(config.dataset.attributes)
    data.setup()
    with open(tmp_path / "attributes.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = attributes(data.prepare_images(data.images))
    truth = torch.tensor([[float(row[name]) for name in config.dataset.targets] for row in rows])
    errors = (found[:, [attributes.names.index(name) for name in config.dataset.targets]] - truth).abs().mean(0)
    assert errors.max() < 0.3 and errors.mean() < 0.08  # the beard's share of wrong answers is the largest
