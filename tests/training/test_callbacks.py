"""Callbacks are a group of the configuration; a training shows its step, its loss and the time left."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from latent_lab.installation import read_choice
from latent_lab.progress import EVERY
from latent_lab.training.checkpointing import RunCheckpoint
from latent_lab.training.progress import StepProgress, describe_losses
from latent_lab.trust import require_class
from latent_lab.workflows import begin


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        ({"train/loss": 0.123456, "train/accuracy": 1.0}, "loss 0.1235"),
        ({"train/critic": 1.25, "train/generator": -0.5}, "critic 1.25, generator -0.5"),
        ({}, ""),
    ],
)
def test_the_loss_is_shown_or_all_that_a_training_has_instead(metrics, text):
    assert describe_losses(metrics) == text


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize("optimisers", [1, 2])
def test_steps_are_those_of_the_training_not_of_lightning(optimisers, capsys, monkeypatch):
    monkeypatch.setattr("latent_lab.progress.EVERY", 0.0)
    trainer = SimpleNamespace(is_global_zero=True, max_steps=600 * optimisers, global_step=0)
    trainer.progress_bar_metrics = {"train/loss": 0.5}
    module, bar = SimpleNamespace(optimisers=optimisers), StepProgress()
    bar.on_train_start(trainer, module)
    trainer.global_step = 120 * optimisers
    bar.on_train_batch_end(trainer, module, None, None, 119)
    bar.teardown(trainer, module, "fit")
    assert capsys.readouterr().out.startswith("latent_lab: training: step 120/600, loss 0.5, ") and EVERY == 30


def test_a_run_of_version_0_1_0_has_the_default_callbacks(tmp_path, monkeypatch):
    made = {}

    class Made(SimpleNamespace):
        def __call__(self, **run):
            return self.node, run

    def instantiate(node, **given):
        made.update(given)
        return Made(node=node, strategy=SimpleNamespace())

    monkeypatch.setattr(begin, "instantiate", instantiate)
    config = OmegaConf.create({"checkpoint_every": 7, "trainer": {}, "logger": None})
    begin.build_trainer(config, SimpleNamespace(folder=tmp_path, choose_log_folder=lambda: tmp_path))
    (node, given), *_ = made["callbacks"]
    assert node["_target_"].endswith("RunCheckpoint") and node["every"] == 7 and given["run"].folder == tmp_path
    assert len(made["callbacks"]) == 3


def test_a_strangers_folder_names_only_the_callbacks_of_this_installation():
    for name, node in read_choice("callbacks", "default").items():
        require_class(node["_target_"], ("callbacks", name))
    for target in ("pytorch_lightning.callbacks.ModelCheckpoint", "latent_lab.training.estimate.Estimate"):
        with pytest.raises(ValueError, match="^callbacks.checkpointing of a run may name only classes"):
            require_class(target, ("callbacks", "checkpointing"))
    assert RunCheckpoint.__module__ == "latent_lab.training.checkpointing"  # of its state in checkpoints
