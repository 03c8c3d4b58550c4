"""The training of paths by an objective of their own, without images and without moves to guess."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context
from latent_lab.ops.streams import TRAINING, stream
from latent_lab.paths.base import Paths
from latent_lab.training.optimiser import decaying_adam

Loss = Callable[[Paths, Codes, torch.Generator], Mapping[str, Tensor]]


class PathTraining(pl.LightningModule):
    """Trains paths on a frozen generator until ``trainer.max_steps``.

    Everything random is a function of the seed, the rank and the step, so that a resumed run repeats an uninterrupted
    one.

    Arguments:
        space: Where the paths lie.
        paths: The paths to train.
        loss: From the paths, the codes of a step and its random numbers: ``loss``, and what else is logged, by name.
        batch_size: Codes a step and rank.
        lr: Adam's learning rate.
        seed: Seed of the codes.
        lr_decay: Share of the run, at its end, in which the rate falls linearly to 0.
        helper: A network that is trained beside the paths, at the same rate; may be None.
    """

    strict_loading = False  # the frozen generator is not in the checkpoint

    def __init__(
        self,
        space: LatentSpace,
        paths: Paths,
        loss: Loss,
        batch_size: int,
        lr: float,
        seed: int,
        lr_decay: float = 0.5,
        helper: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1 or not 0 <= lr_decay <= 1:
            raise ValueError(
                f"method.batch_size must be at least 1 and lr_decay between 0 and 1, got {batch_size} and {lr_decay}"
            )
        self.space, self.paths, self.loss, self.helper = space, paths, loss, helper
        self.batch_size, self.lr, self.seed, self.lr_decay = batch_size, lr, seed, lr_decay

    def configure_optimizers(self):
        trained = [
            p
            for module in (self.paths, self.helper)
            if module is not None
            for p in module.parameters()
            if p.requires_grad
        ]
        return decaying_adam([{"params": trained, "lr": self.lr}], self.lr_decay, self.trainer.max_steps)

    # The data of a step is its number: codes are drawn where they are needed.
    def train_dataloader(self) -> DataLoader:
        return DataLoader(range(self.trainer.max_steps))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        rng = stream(self.seed, self.global_rank, self.global_step, TRAINING)
        terms = self.loss(self.paths, self.space.sample(self.batch_size, rng), rng)
        if not terms["loss"].isfinite():
            raise FloatingPointError(
                f"loss is not finite at step {self.global_step}; try a smaller method.lr or trainer.gradient_clip_val=1"
            )
        self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()}, prog_bar=True)
        return terms["loss"]

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["state_dict"] = {
            name: value for name, value in checkpoint["state_dict"].items() if name.startswith(("paths.", "helper."))
        }

    def fit(self, context: Context) -> Paths:
        """The trained paths."""
        context.trainer.fit(self, ckpt_path=context.checkpoint, weights_only=True)
        return self.paths.cpu().eval()


def features_of(space: LatentSpace, codes: Codes, feature: str | None) -> Tensor:
    """The images, or the outputs of the generator's submodule ``feature`` on the way to them, flat: :math:`(N, F)`."""
    output = space.decode(codes) if feature is None else space.activations(codes, [feature])[feature]
    return output.float().flatten(1)
