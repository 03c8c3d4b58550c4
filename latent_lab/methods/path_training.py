"""The training of paths by an objective of their own, without images and without moves to guess."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method
from latent_lab.paths.base import Paths
from latent_lab.training.seeded import MakeOptimiser, MakeSchedule, SeededTraining, trained

Loss = Callable[[Paths, Codes, torch.Generator], Mapping[str, Tensor]]


class PathTraining(SeededTraining):
    """Trains paths on a frozen generator.

    Arguments:
        space: The latent space of the paths.
        paths: The paths to train.
        loss: Returns ``loss``, and what else is logged, by name, from the paths, the codes of a step and its random
            numbers.
        lr: Learning rate.
        helper: A network that is trained beside the paths, at the same rate; may be None.
        training: Options of :class:`SeededTraining`.
    """

    kept = ("paths.", "helper.")
    remedy = "a smaller method.lr or trainer.gradient_clip_val=1"

    def __init__(
        self, space: LatentSpace, paths: Paths, loss: Loss, lr: float, helper: nn.Module | None = None, **training
    ) -> None:
        super().__init__(**training)
        self.space, self.paths, self.loss, self.lr, self.helper = space, paths, loss, lr, helper

    def optimisers_of_run(self) -> list[torch.optim.Optimizer]:
        return [self.groups_optimiser([{"params": trained(self.paths, self.helper), "lr": self.lr}])]

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        rng = self.rng(self.step)
        terms = self.loss(self.paths, self.space.sample(self.batch_size, rng), rng)
        self.require_finite({"loss": terms["loss"]})
        self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()}, prog_bar=True)
        return terms["loss"]


class TrainedPaths(Method):
    """A method that trains its paths by :class:`PathTraining`.

    Arguments:
        batch_size: Codes a step and rank.
        lr: Learning rate.
        lr_decay, optimiser, schedule: See :class:`latent_lab.training.seeded.SeededTraining`.
    """

    def __init__(
        self,
        batch_size: int,
        lr: float,
        lr_decay: float = 0.5,
        optimiser: MakeOptimiser = torch.optim.Adam,
        schedule: MakeSchedule | None = None,
    ) -> None:
        self.batch_size, self.lr = batch_size, lr
        self.options = {"lr_decay": lr_decay, "optimiser": optimiser, "schedule": schedule}

    def train(
        self, space: LatentSpace, paths: Paths, loss: Loss, context: Context, helper: nn.Module | None = None
    ) -> Paths:
        """Train paths by a loss, and return them in eval mode."""
        options = {"seed": context.seed, "batch_size": self.batch_size, **self.options}
        module = PathTraining(space, paths, loss, self.lr, helper, **options)
        module.fit(context.trainer, context.checkpoint)
        return paths.eval()


def features_of(space: LatentSpace, codes: Codes, feature: str | None) -> Tensor:
    """Return the images, or the outputs of the generator's submodule ``feature`` on the way to them, flat: :math:`(N,
    F)`."""
    output = space.decode(codes) if feature is None else space.activations(codes, [feature])[feature]
    return output.float().flatten(1)
