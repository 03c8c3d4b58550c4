"""Folders of pictures in the commands: pretraining, naturalness, and what a report says of faces that were not
found."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from PIL import Image

from latent_lab import load_generator, pretrain
from latent_lab.evaluation.subject import Subject
from latent_lab.gans.sngan import SNGAN
from latent_lab.installation import CONF
from latent_lab.metrics.dvn import Naturalness
from latent_lab.paths.linear import LinearPaths
from tests.workflows.conftest import newest_run

COLOUR = ("gan=sngan_anime", "gan.generator.widths=[8,8,8,8]", "gan.generator.latent_dim=16")


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Twenty pictures in two sub-folders where dataset=folder expects them, and a damaged one."""
    rng = np.random.default_rng(0)
    for i in range(20):
        file = tmp_path / "data" / "folder" / "ab"[i % 2] / f"{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (36, 40, 3), dtype=np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:200])
    monkeypatch.setenv("LATENT_LAB_DATA", str(tmp_path / "data"))


def test_a_generator_is_pretrained_on_a_folder(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = ["dataset=folder", "dataset.data.resolution=32", "dataset.data.held_out=6", "dataset.data.batch_size=4"]
    critic = ["gan.pretraining.critic.widths=[8,8]", "statistics_batches=1", "logger=csv"]
    monkeypatch.setattr(sys, "argv", ["latent_lab.pretrain", *COLOUR, *data, *critic, "trainer.max_steps=2"])
    GlobalHydra.instance().clear()
    pretrain.main()
    assert "1 of 20 pictures in" in capsys.readouterr().out
    run = newest_run(tmp_path)
    space = load_generator(run / "generator.safetensors").space("z")
    images = space.decode(space.sample(2, torch.Generator().manual_seed(0)))
    assert images.shape == (2, 3, 32, 32) and images.isfinite().all()
    assert "folder, 13 images to train on" in (run / "card.md").read_text()
    assert not (run / "metrics.json").exists()  # without classes there is nothing to judge by


@pytest.mark.parametrize("resolution", [32, 64])
def test_naturalness_reads_the_pictures_that_fit_the_generator(pictures, resolution):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        dataset = compose(
            "train", ["dataset=folder", f"dataset.data.resolution={resolution}", "dataset.data.held_out=8"]
        ).dataset
    space = SNGAN(latent_dim=16, widths=[8, 8, 8, 8], image_channels=3).eval().requires_grad_(False).space()
    plan = SimpleNamespace(chosen=[SimpleNamespace(path=0, amount=3.0)])
    subject = Subject(space, LinearPaths(16, 2), data=instantiate(dataset.data))
    metric = Naturalness(steps=2, batch_size=4, num=8)
    if resolution == 32:
        assert not metric.obstacle(subject)
        scores = metric.scores({}, SimpleNamespace(subject=subject, seed=0, plan=plan))
        assert [score.name for score in scores] == ["naturalness/mean", "naturalness/best"]
    else:
        assert "it needs images of shape (3, 32, 32), this data set has (3, 64, 64)" in metric.obstacle(subject)
