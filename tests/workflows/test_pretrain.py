"""Pretraining in colour: from the files to the weights, and on from where it was stopped."""

import sys

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from safetensors.torch import load_file

from latent_lab import pretrain as command
from tests.idx_files import write_idx
from tests.workflows.conftest import newest_run

TINY = (
    "gan=sngan_avatars",
    "gan.generator.widths=[8,8,8,8]",
    "gan.pretraining.critic.widths=[8,8]",
    "judge.epochs=0",
    "statistics_batches=2",
    "logger=[]",
)


@pytest.fixture
def pretrain(tmp_path, monkeypatch):
    """``pretrain(...)`` runs the command in ``tmp_path`` on 1,100 images of noise and returns its folder."""
    rng = torch.Generator().manual_seed(0)
    images, labels = (
        torch.randint(256, (1100, 32, 32, 3), generator=rng, dtype=torch.uint8),
        torch.arange(1100, dtype=torch.uint8) % 12,
    )
    folder = tmp_path / "data" / "avatars"
    folder.mkdir(parents=True)
    for name, values in (("images.idx.gz", images), ("labels.idx.gz", labels)):
        write_idx(folder / name, values)
    monkeypatch.setenv("LATENT_LAB_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str):
        monkeypatch.setattr(sys, "argv", ["latent_lab.pretrain", *arguments])
        GlobalHydra.instance().clear()
        command.main()
        return newest_run(tmp_path)

    return run


def test_a_continued_run_keeps_its_own_data(pretrain, capfd):
    run = pretrain(*TINY, "trainer.max_steps=6", "checkpoint_every=2")
    assert "data: avatars, 100 images" in (run / "card.md").read_text() and (run / "samples.png").stat().st_size > 1000
    whole = load_file(run / "generator.safetensors")
    for name in ("generator.safetensors", "card.md"):
        (run / name).unlink()  # as if it had been stopped before the end
    (run / "checkpoints" / "last.ckpt").unlink()
    pretrain(f"run={run}")
    assert "continued from previous.ckpt" in capfd.readouterr().out
    again = load_file(run / "generator.safetensors")
    assert whole.keys() == again.keys() and all(tensor.isfinite().all() for tensor in again.values())
    assert "data: avatars, 100 images" in (run / "card.md").read_text() and "6 steps" in (run / "card.md").read_text()
