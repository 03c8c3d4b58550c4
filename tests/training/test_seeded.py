"""What the trainings share, on one that fits two numbers: the same bits after a resume, finite losses and gradients,
checkpoints of what is trained, and any optimiser and schedule of torch.optim."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from latent_lab.inversion.encoders.style_training import EditableEncoderTraining, StyleEncoderTraining
from latent_lab.inversion.fusion.training import FusionTraining
from latent_lab.methods.path_training import PathTraining
from latent_lab.methods.reconstructor_training import ReconstructorTraining
from latent_lab.methods.walk import WalkTraining
from latent_lab.ops.streams import TRAINING, VALIDATION, stream
from latent_lab.pretraining.glo import GLOPretraining
from latent_lab.pretraining.hinge import HingePretraining
from latent_lab.training.checkpointing import CheckedStates
from latent_lab.training.seeded import SeededTraining, trained

ADAM = partial(torch.optim.Adam, betas=(0.5, 0.9))
MILESTONES = partial(torch.optim.lr_scheduler.MultiStepLR, milestones=[2, 5, 5])  # its state is a counter


class Toy(SeededTraining):
    """Fits a line through noise that each step draws; beside it lies a frozen network."""

    kept, remedy = ("line.",), "less"

    def __init__(self, factor: float = 1.0, **options) -> None:
        super().__init__(seed=5, **options)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.line, self.frozen = nn.Linear(1, 1), nn.Linear(1, 1).requires_grad_(False)
        self.factor, self.rates = factor, []

    def optimisers_of_run(self) -> list[torch.optim.Optimizer]:
        return [self.groups_optimiser([{"params": trained(self.line), "lr": 0.1}, {"params": [], "lr": 1.0}])]

    def loss(self) -> torch.Tensor:
        x = torch.randn(4, 1, generator=self.rng(self.step))
        return (self.factor * self.line(x) - 2 * x).square().mean()

    def training_step(self, batch, batch_idx: int) -> torch.Tensor:
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        loss = self.loss()
        self.require_finite({"first": torch.zeros(()), "loss": loss})
        return loss


class Pair(Toy):
    """The same with an optimiser for each of the two numbers, which it steps itself."""

    optimisers = 2

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.automatic_optimization = False

    def optimisers_of_run(self) -> list[torch.optim.Optimizer]:
        return [self.groups_optimiser([{"params": [p], "lr": 0.1}]) for p in self.line.parameters()]

    def training_step(self, batch, batch_idx: int) -> None:
        self.rates.append(self.trainer.optimizers[1].param_groups[0]["lr"])
        for optimiser in self.stepped_optimisers():
            optimiser.zero_grad()
        self.manual_backward(self.loss())
        for optimiser in self.stepped_optimisers():
            optimiser.step()
        self.advance_schedules()


class Save(pl.Callback):
    """Writes the state after three batches."""

    def __init__(self, file) -> None:
        self.file = file

    def on_train_batch_end(self, trainer, module, *arguments) -> None:
        if module.step == 3:
            trainer.save_checkpoint(self.file)


def fit(module: SeededTraining, steps: int, checkpoint=None, **options) -> pl.Trainer:
    quiet = {name: False for name in ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")}
    made = pl.Trainer(
        accelerator="cpu", max_steps=steps * module.optimisers, max_epochs=-1, limit_val_batches=0, **quiet, **options
    )
    module.fit(made, checkpoint)
    return made


@pytest.mark.parametrize("kind", [Toy, Pair])
@pytest.mark.parametrize("options", [{"lr_decay": 0.5}, {"schedule": MILESTONES}], ids=["decay", "milestones"])
def test_a_resumed_run_ends_with_the_same_bits(kind, options, tmp_path):
    whole, rest = (kind(optimiser=ADAM, **options) for _ in range(2))
    fit(whole, 8, callbacks=[Save(tmp_path / "a.ckpt")])
    kept = torch.load(tmp_path / "a.ckpt", weights_only=True)["state_dict"]
    assert kept.keys() == {"line.weight", "line.bias"}  # what is frozen is not in it
    fit(rest, 8, tmp_path / "a.ckpt", plugins=[CheckedStates()])
    assert len(rest.rates) == 5 and rest.rates == whole.rates[3:]
    for one, other in zip(whole.parameters(), rest.parameters()):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", [Toy, Pair])
def test_rates_fall_at_the_end_of_the_run_or_as_a_schedule_says(kind):
    falling, halved = (
        kind(lr_decay=0.5),
        kind(schedule=partial(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.5)),
    )
    fit(falling, 8)
    assert falling.rates == pytest.approx([0.1] * 5 + [0.075, 0.05, 0.025])
    fit(halved, 4)
    assert halved.rates == pytest.approx([0.1, 0.1, 0.05, 0.05])


def test_the_optimiser_is_the_one_that_is_given():
    made = fit(Toy(optimiser=partial(torch.optim.SGD, momentum=0.9)), 1).optimizers
    assert type(made[0]) is torch.optim.SGD and made[0].param_groups[0]["momentum"] == 0.9
    assert [group["lr"] for group in made[0].param_groups] == [0.1]  # a group without parameters is left out


def test_a_rate_that_would_not_be_used_is_refused():
    with pytest.raises(ValueError, match="^method.optimiser.lr must be left out, .*, got 0.3$"):
        fit(Toy(optimiser=partial(torch.optim.SGD, lr=0.3)), 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "got 0 and 0.0"),
        ({"lr_decay": 1.5}, "got 1 and 1.5"),
        ({"lr_decay": -0.1}, "got 1 and -0.1"),
    ],
)
def test_what_a_training_cannot_have_is_refused(options, message):
    with pytest.raises(
        ValueError, match=f"^method.batch_size must be at least 1 and lr_decay between 0 and 1, {message}"
    ):
        Toy(**options)


def test_a_loss_that_is_not_finite_stops_the_run_and_says_what_to_do():
    with pytest.raises(FloatingPointError, match="^loss is not finite at step 0; try less$"):
        fit(Toy(factor=float("inf")), 2)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_gradient_that_is_not_finite_is_named(sparse):
    toy = Toy()
    toy.table = nn.Embedding(3, 2, sparse=sparse)
    toy.table(torch.tensor([1])).sum().backward()
    optimiser = torch.optim.SGD(toy.table.parameters(), 0.1)
    toy.trainer = SimpleNamespace(precision_plugin=None, global_step=4)
    toy.on_before_optimizer_step(optimiser)
    toy.table.weight.grad = toy.table.weight.grad * float("inf")
    with pytest.raises(FloatingPointError, match="^gradient of table.weight is not finite at step 4; try less$"):
        toy.on_before_optimizer_step(optimiser)
    toy.trainer.precision_plugin = SimpleNamespace(scaler=object())  # of 16-mixed, which leaves such steps out
    toy.on_before_optimizer_step(optimiser)


def test_a_step_draws_from_its_number_rank_and_purpose_alone():
    toy, expected = Toy(), stream(5, 0, 3, VALIDATION)
    toy.trainer = SimpleNamespace(global_rank=0)
    assert torch.equal(torch.rand(4, generator=toy.rng(3, VALIDATION)), torch.rand(4, generator=expected))
    assert toy.rng(3).initial_seed() == stream(5, 0, 3, TRAINING).initial_seed()


@pytest.mark.parametrize(
    ("training", "kept", "optimisers"),
    [
        (ReconstructorTraining, ("paths.", "reconstructor."), 1),
        (PathTraining, ("paths.", "helper."), 1),
        (WalkTraining, ("paths.", "target.critic."), 1),
        (StyleEncoderTraining, ("encoder.",), 1),
        (EditableEncoderTraining, ("encoder.", "critic.", "pool."), 2),
        (FusionTraining, ("network.",), 1),
        (HingePretraining, ("",), 2),
        (GLOPretraining, ("",), 2),
    ],
)
def test_checkpoints_hold_what_those_of_version_0_1_0_hold(training, kept, optimisers):
    assert (training.kept, training.optimisers) == (kept, optimisers)
    assert training.strict_loading is (kept == ("",))
