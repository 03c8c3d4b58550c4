"""The training of walks towards a target. GANalyze, GAN steerability and Enjoy Your Editing differ in the target
alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from latent_lab.console import log
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method, require_vector_size
from latent_lab.methods.limits import describe, measure_response
from latent_lab.ops.streams import TRAINING, VALIDATION
from latent_lab.paths.base import Paths
from latent_lab.training.seeded import MakeOptimiser, MakeSchedule, ValidatedTraining, trained


class Target(nn.Module, ABC):
    """The aim of a walk's training. ``names`` says what each path is to change, ``supervised`` whether a predictor of
    attributes says how far it has come."""

    names: tuple[str, ...]
    supervised: bool = False

    @abstractmethod
    def losses(self, codes: Codes, before: Tensor, moved: Codes, after: Tensor, amounts: Tensor) -> dict[str, Tensor]:
        """Return weighted terms by name, whose sum is the loss.

        Arguments:
            codes, moved: Codes before and after the walk, N of them.
            before, after: Their images, with shape :math:`(N, C, H, W)`.
            amounts: Signed amounts walked along each path, with shape :math:`(N, K)`.
        """

    @abstractmethod
    def realised(self, codes: Codes, before: Tensor, moved: Codes, after: Tensor, k: Tensor) -> Tensor:
        """Return by how much the walk along path ``k`` :math:`(N,)` has changed its aim, in units of amount; nan where
        that is not measured."""


class WalkTraining(ValidatedTraining):
    r"""Trains walks on a frozen generator G so that their images reach a target.

    .. math:: L = \mathbb{E}_{z, k, \varepsilon}\, \ell\left(G(z), G(\phi_k^\varepsilon(z)), \varepsilon\right)

    Arguments:
        space: The latent space of the walks.
        paths: The paths to train.
        target: Gives the loss; what it trains itself (a critic) is trained at the same time.
        amounts: Smallest and largest magnitude of a training amount; its sign is a fair coin.
        together: Paths that each latent walks at once, in random order; at most K.
        lr: Learning rate of the walks.
        lr_critic: Learning rate of the target's own parameters.
        training: Options of :class:`ValidatedTraining`.
    """

    kept = ("paths.", "target.critic.")
    remedy = "a smaller method.lr or method.amounts"

    def __init__(
        self,
        space: LatentSpace,
        paths: Paths,
        target: Target,
        *,
        amounts: tuple[float, float],
        together: int,
        lr: float,
        lr_critic: float,
        **training,
    ) -> None:
        super().__init__(**training)
        self.space, self.paths, self.target = space, paths, target
        self.amounts, self.together = amounts, min(together, paths.num_paths)
        self.lr, self.lr_critic = lr, lr_critic

    def optimisers_of_run(self) -> list[torch.optim.Optimizer]:
        groups = [
            {"params": list(self.paths.parameters()), "lr": self.lr},
            {"params": trained(self.target), "lr": self.lr_critic},
        ]
        return [self.groups_optimiser(groups)]

    def losses(self, step: int, purpose: int) -> dict[str, Tensor]:
        """Return the target's terms on the walks of a step."""
        rng = self.rng(step, purpose)
        codes, num = self.space.sample(self.batch_size, rng), self.batch_size
        k = torch.rand(num, self.paths.num_paths, generator=rng).argsort(1)[:, : self.together]
        smallest, largest = self.amounts
        sign = 2.0 * torch.randint(2, k.shape, generator=rng) - 1
        eps = sign * (smallest + (largest - smallest) * torch.rand(k.shape, generator=rng))
        amounts = torch.zeros(num, self.paths.num_paths).scatter(1, k, eps).to(self.device)
        with torch.no_grad():
            before = self.space.decode(codes).float()
        latents = codes.latents
        for path, amount in zip(k.to(self.device).unbind(1), eps.to(self.device).unbind(1)):
            latents = self.paths.shift(latents, path, amount, codes.given)
        moved = codes.moved(latents)
        return self.target.losses(codes, before, moved, self.space.decode(moved).float(), amounts)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        terms = self.losses(self.step, TRAINING)
        loss = torch.stack(list(terms.values())).sum()
        self.require_finite({**terms, "loss": loss})
        self.log_dict(
            {f"train/{name}": value.detach() for name, value in ({"loss": loss} | terms).items()},
            prog_bar=len(terms) < 4,
        )
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        terms = self.losses(batch_idx, VALIDATION)
        self.log_dict(
            {f"val/{name}": value for name, value in terms.items()}, sync_dist=True, batch_size=self.batch_size
        )


class Walk(Method):
    r"""Walks trained towards a target: an assessor's score, a transformation of the image, several attributes at once.

    After the training the walks' response is measured on new latents: what each amount really changes, and where more
    of it changes no more or leaves the prior. It is printed and kept with the run (``findings.json``).

    Arguments:
        paths: Makes the paths from ``dim``, ``num_paths`` and ``rng``.
        target: Makes the target from ``space``, ``context`` and ``amounts``.
        amounts: Smallest and largest magnitude of a training amount, in the target's unit.
        batch_size, lr, lr_critic, lr_decay, together, validation_batches, optimiser, schedule: See
            :class:`WalkTraining`.
        limit_latents: Latents that the response is measured on.
    """

    def __init__(
        self,
        paths: Callable[..., Paths],
        target: Callable[..., Target],
        amounts: Sequence[float],
        batch_size: int,
        lr: float,
        lr_critic: float = 1e-3,
        lr_decay: float = 0.0,
        together: int = 1,
        validation_batches: int = 4,
        limit_latents: int = 64,
        optimiser: MakeOptimiser = torch.optim.Adam,
        schedule: MakeSchedule | None = None,
    ) -> None:
        if len(amounts) != 2 or not 0 <= amounts[0] <= amounts[1] or amounts[1] == 0:
            raise ValueError(
                "method.amounts must be two numbers with 0 <= smallest <= largest and the largest above 0, "
                f"got {list(amounts)}"
            )
        if min(together, batch_size, limit_latents) < 1:
            raise ValueError(
                f"method.together, batch_size and limit_latents must be at least 1, got {together}, "
                f"{batch_size} and {limit_latents}"
            )
        self.paths, self.target, self.amounts, self.limit_latents = paths, target, tuple(amounts), limit_latents
        self.supervised = getattr(getattr(target, "func", target), "supervised", False)  # of a partial: its class's
        self.options = dict(
            amounts=self.amounts,
            together=together,
            batch_size=batch_size,
            lr=lr,
            lr_critic=lr_critic,
            lr_decay=lr_decay,
            validation_batches=validation_batches,
            optimiser=optimiser,
            schedule=schedule,
        )

    def module(self, space: LatentSpace, context: Context) -> WalkTraining:
        """Make the LightningModule with all that is trained."""
        target = self.target(space=space, context=context, amounts=self.amounts)
        paths = self.paths(dim=require_vector_size(space), num_paths=len(target.names), rng=context.rng)
        require_labels(space, paths)
        return WalkTraining(space, paths, target, seed=context.seed, **self.options)

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        module = self.module(space, context)
        module.fit(context.trainer, context.checkpoint)
        paths, target = module.paths.eval(), module.target.eval()
        curves = measure_response(
            space, paths, target.realised, self.amounts[1], context.rng, self.limit_latents, self.options["batch_size"]
        )
        context.findings["names"] = list(target.names)
        context.findings["response"] = described = describe(curves, target.names)
        for name, found in described.items() if context.trainer.is_global_zero else ():
            log.info(
                f"{name}: an amount of {self.amounts[1]:g} changes it by {found['at_largest']:.2f}; "
                f"its walk ends at {found['limits'][0]:g} and {found['limits'][1]:g}"
            )
        return paths


def require_labels(space: LatentSpace, paths: Paths) -> None:
    """Check that paths with a walk for each class fit the generator's classes.

    Raises:
        ValueError: The generator's codes have no class, or more classes than the paths.
    """
    classes = getattr(paths, "classes", 0)
    if not classes:
        return
    label = space.sample(64, torch.Generator().manual_seed(0)).given.get("label")
    if label is None or label.ndim != 1:
        raise ValueError(f"method.paths.classes must be 0 for a generator whose codes have no class, got {classes}")
    if int(label.max()) >= classes:
        raise ValueError(
            f"method.paths.classes must be above every class of the generator, one is {int(label.max())}, got {classes}"
        )
