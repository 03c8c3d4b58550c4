"""One training of linear, RBF (WarpedGANSpace) and curvilinear paths, guided by a reconstructor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method, require_amounts
from latent_lab.methods.reconstructor_training import Objective, ReconstructorTraining
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import layer_rows, restrict_to_rows
from latent_lab.training.seeded import MakeOptimiser, MakeSchedule


class ReconstructorGuided(Method):
    """Paths that a reconstructor can tell apart by their images.

    References:
        | Unsupervised Discovery of Interpretable Directions in the GAN Latent Space (Voynov & Babenko, 2020)
        | https://arxiv.org/abs/2002.03754

    Arguments:
        paths: Makes the paths from ``dim``, ``num_paths`` and ``rng``.
        reconstructor: Makes the reconstructor from ``image_channels`` and ``num_paths``.
        num_paths: Number K of paths.
        objective: Weights of the loss, see :class:`Objective`.
        amounts: Smallest and largest magnitude of a training amount.
        batch_size: Edits a step and rank, at least 2.
        lr_paths, lr_reconstructor, orthogonality_paths, orthogonality_step, pool: See :class:`ReconstructorTraining`.
        lr_decay, optimiser, schedule, validation_batches: See :class:`latent_lab.training.seeded.ValidatedTraining`.
    """

    previews = True  # edits are only told apart

    def __init__(
        self,
        paths: Callable[..., Paths],
        reconstructor: Callable[..., nn.Module],
        num_paths: int,
        objective: Objective,
        amounts: Sequence[float],
        batch_size: int,
        lr_paths: float,
        lr_reconstructor: float,
        lr_decay: float = 0.0,
        orthogonality_paths: int = 2,
        orthogonality_step: float = 0.15,
        pool: int = 1024,
        validation_batches: int = 4,
        optimiser: MakeOptimiser = torch.optim.Adam,
        schedule: MakeSchedule | None = None,
    ) -> None:
        require_amounts(amounts)
        if batch_size < 2:
            raise ValueError(f"method.batch_size must be at least 2, which batch normalisation needs, got {batch_size}")
        if not 0 <= lr_decay <= 1:
            raise ValueError(f"method.lr_decay must be between 0 and 1, got {lr_decay}")
        if orthogonality_paths < 2 or orthogonality_step <= 0:
            raise ValueError(
                "method.orthogonality_paths must be at least 2 and orthogonality_step above 0, "
                f"got {orthogonality_paths} and {orthogonality_step}"
            )
        self.paths, self.reconstructor, self.num_paths, self.objective = paths, reconstructor, num_paths, objective
        self.options = dict(
            amounts=tuple(amounts),
            batch_size=batch_size,
            lr_paths=lr_paths,
            lr_reconstructor=lr_reconstructor,
            lr_decay=lr_decay,
            orthogonality_paths=orthogonality_paths,
            orthogonality_step=orthogonality_step,
            pool=pool,
            validation_batches=validation_batches,
            optimiser=optimiser,
            schedule=schedule,
        )

    def module(self, space: LatentSpace, context: Context) -> ReconstructorTraining:
        """Make the LightningModule with all that is trained."""
        paths = restrict_to_rows(
            self.paths(dim=space.shape[-1], num_paths=self.num_paths, rng=context.rng), layer_rows(space, None)
        )
        with torch.random.fork_rng():
            torch.manual_seed(context.rng.initial_seed())  # torch's layers initialise from the global source
            reconstructor = self.reconstructor(image_channels=space.generator.channels, num_paths=self.num_paths)
        return ReconstructorTraining(
            space,
            paths,
            reconstructor,
            self.objective,
            seed=context.seed,
            validation=context.validation(space, paths) if context.validation else None,
            attributes=context.attributes,
            **self.options,
        )

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Train paths and reconstructor together."""
        module = self.module(space, context)
        module.fit(context.trainer, context.checkpoint)
        return module.paths.eval()
