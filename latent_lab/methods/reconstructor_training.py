"""The training that finds paths by letting a reconstructor tell them apart: one module for every kind of paths."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric

from latent_lab.attributes.base import Attributes
from latent_lab.edits.lengths import find_amounts
from latent_lab.edits.moves import Moves, draw_moves
from latent_lab.edits.views import pair_with_others, view_sequences
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.metrics.side_effects import SideEffectError
from latent_lab.ops.jacobian import pullback_metric
from latent_lab.ops.streams import POOL, TRAINING, VALIDATION
from latent_lab.paths.base import Paths
from latent_lab.training.seeded import ValidatedTraining, trained

if TYPE_CHECKING:
    from latent_lab.evaluation.validation import Validation


@dataclass(frozen=True)
class Objective:
    r"""Weights of the terms of the loss.

    Arguments:
        cross_entropy: Cross-entropy of the path.
        amount: Mean absolute error of the amount.
        log_det: Squared log-determinant of a flow (Deep Curvilinear Editing's alpha).
        likelihood: Negative log-likelihood of the prior under a flow, per coordinate.
        length: Unit speed, :math:`\mathbb{E}[(\|z' - z\| / |\varepsilon| - 1)^2]`.
        orthogonality: Squared cosine between the changes that small moves along different paths make to the same image,
            which asks the columns of the image's Jacobian to be orthogonal (Wei et al., 2021,
            https://arxiv.org/abs/2108.09135; Gresele et al., 2021, https://arxiv.org/abs/2106.05200).
        contrast: The same aim without a decode a step: the log-determinant of the normalised Gram matrix of all paths'
            image changes (independent mechanism analysis, Gresele et al., 2021, Eq. 8), by the image's metric at
            latents of a pool.
    """

    cross_entropy: float = 1.0
    amount: float = 0.25
    log_det: float = 0.0
    likelihood: float = 0.0
    length: float = 0.0
    orthogonality: float = 0.0
    contrast: float = 0.0

    def __post_init__(self) -> None:
        for name, weight in asdict(self).items():
            if not weight >= 0:
                raise ValueError(f"objective.{name} must be at least 0, got {weight}")


class ReconstructorTraining(ValidatedTraining):
    r"""Trains paths and a reconstructor R together on a frozen generator G.

    .. math:: L = \mathrm{CE}(\hat k, k) + \lambda \mathbb{E}|\hat\varepsilon - \varepsilon| + \text{regularisers},
        \qquad (\hat k, \hat\varepsilon) = R(G(z), G(\phi_k^\varepsilon(z)))

    References:
        | Unsupervised Discovery of Interpretable Directions in the GAN Latent Space (Voynov & Babenko, 2020), Eq. 1
        | https://arxiv.org/abs/2002.03754

    Arguments:
        space: The latent space of the paths.
        paths: The paths to train.
        reconstructor: Maps a pair of images to logits :math:`(N, K)` and amounts :math:`(N,)`.
        objective: Weights of the loss.
        amounts: Smallest and largest magnitude of a training amount.
        lr_paths, lr_reconstructor: Learning rates.
        validation: Measures the paths on the edits of the validation; None measures what needs the reconstructor alone.
        attributes: Measures the images of the validation; may be None.
        orthogonality_paths: Paths from each latent that are compared; the decodes stay two batches, the latents become
            fewer.
        orthogonality_step: Amount of the small moves.
        pool: Latents at which ``objective.contrast`` has the image's metric, measured once before the first step.
        training: Options of :class:`ValidatedTraining`.
    """

    kept = ("paths.", "reconstructor.")
    remedy = (
        "a smaller method.lr_paths or method.amounts, trainer.gradient_clip_val=1, "
        "or method.objective.length=1 where train/edit_length grows"
    )

    def __init__(
        self,
        space: LatentSpace,
        paths: Paths,
        reconstructor: nn.Module,
        objective: Objective,
        *,
        amounts: tuple[float, float],
        lr_paths: float,
        lr_reconstructor: float,
        validation: Validation | None,
        attributes: Attributes | None,
        orthogonality_paths: int,
        orthogonality_step: float,
        pool: int,
        **training,
    ) -> None:
        super().__init__(**training)
        if objective.contrast and pool < 1:
            raise ValueError(f"pool must be at least 1 latent for objective.contrast, got {pool}")
        if paths.num_paths < 2 and (objective.orthogonality or objective.contrast):
            raise ValueError(
                "objective.orthogonality and objective.contrast must be 0 with one path, which nothing is orthogonal to"
            )
        self.space, self.paths, self.reconstructor = space, paths, reconstructor
        self.objective, self.attributes, self.amounts, self.pool = objective, attributes, amounts, pool
        self.lr_paths, self.lr_reconstructor = lr_paths, lr_reconstructor
        self.orthogonality_paths = min(orthogonality_paths, paths.num_paths)
        self.orthogonality_step = orthogonality_step
        self.validation = validation
        self.means = nn.ModuleDict({name: MeanMetric() for name in ("accuracy", "amount_error", "accuracy_at_length")})
        self.side_effects = None if attributes is None else SideEffectError(paths.num_paths)

    def optimisers_of_run(self) -> list[torch.optim.Optimizer]:
        groups = [
            {"params": trained(self.paths), "lr": self.lr_paths},
            {"params": list(self.reconstructor.parameters()), "lr": self.lr_reconstructor},
        ]
        return [self.groups_optimiser(groups)]

    def on_fit_start(self) -> None:
        if self.objective.contrast:
            codes = self.space.sample(self.pool, self.rng(0, POOL))
            self.pool_latents, self.pool_metric = codes.latents, pullback_metric(self.space, codes)

    def draw_moves(self, step: int, purpose: int) -> tuple[Moves, torch.Generator]:
        """Draw the moves of a step; ``purpose`` separates training and validation. Return them with the source of the
        step's other random numbers."""
        rng = self.rng(step, purpose)
        return draw_moves(self.space, self.batch_size, self.paths.num_paths, self.amounts, rng), rng

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        moves, rng = self.draw_moves(self.step, TRAINING)
        torch.manual_seed(rng.initial_seed())  # a flow's trace estimator draws from the global source
        with torch.no_grad():
            before = self.space.decode(moves.codes)
        latents, terms = self.paths.move(moves.codes.latents, moves.k, moves.eps, moves.codes.given)
        after = self.space.decode(moves.codes.moved(latents))
        logits, amount = self.reconstructor(before, after)

        start, end = self.space.visible(moves.codes.latents), self.space.visible(latents)
        speed = torch.linalg.vector_norm((end - start).flatten(1), dim=1) / moves.eps.abs()
        terms |= {
            "cross_entropy": F.cross_entropy(logits.float(), moves.k),
            "amount": (amount.float() - moves.eps).abs().mean(),
            "length": (speed - 1).square().mean(),
        }
        if self.objective.orthogonality:
            terms["orthogonality"] = self.orthogonality(moves.codes, before, rng)
        if self.objective.contrast:
            terms["contrast"] = self.contrast(rng)
        loss = torch.zeros((), device=self.device)
        for name, weight in asdict(self.objective).items():
            if weight:
                if name not in terms:
                    raise ValueError(
                        f"objective.{name} must be 0 for {type(self.paths).__name__}, which has no such term, "
                        f"got {weight}"
                    )
                loss = loss + weight * terms[name]
        self.require_finite({"latents": latents, "images": after, "logits": logits, **terms, "loss": loss})

        accuracy = (logits.argmax(1) == moves.k).float().mean()
        radius = self.space.radius(latents.detach()) / self.space.radius(moves.codes.latents)
        shown = {"loss": loss, "accuracy": accuracy, "edit_length": speed.mean()}
        self.log_dict({f"train/{name}": value.detach() for name, value in shown.items()}, prog_bar=True)
        self.log_dict(
            {f"train/{name}": value.detach() for name, value in ({"radius_ratio": radius.mean()} | terms).items()}
        )
        return loss

    def orthogonality(self, codes: Codes, before: Tensor, rng: torch.Generator) -> Tensor:
        """Return the mean squared cosine between the image changes of small moves along different paths from the same
        codes."""
        num, paths = max(1, 2 * len(before) // self.orthogonality_paths), self.orthogonality_paths
        codes, before = codes.select(slice(0, num)), before[:num]
        num = len(before)
        k = torch.rand(num, self.paths.num_paths, generator=rng).argsort(1)[:, :paths].flatten().to(before.device)
        sign = 2.0 * torch.randint(2, (num,), generator=rng).repeat_interleave(paths) - 1
        repeated = codes.repeat(paths)
        moved = self.paths.shift(repeated.latents, k, self.orthogonality_step * sign.to(before.device), repeated.given)
        change = (
            self.space.decode(repeated.moved(moved)).float().unflatten(0, (num, paths)) - before.float()[:, None]
        ).flatten(2)
        direction = F.normalize(change, dim=2)
        cosines = direction @ direction.mT
        return (cosines.square().sum((1, 2)) - paths).mean() / (paths * (paths - 1))

    def contrast(self, rng: torch.Generator) -> Tensor:
        r"""Return the mean of :math:`-\tfrac{1}{K} \log\det` of the matrix of cosines between the image changes of all
        K paths; 0 when orthogonal."""
        index = torch.randint(self.pool, (self.batch_size,), generator=rng).to(self.device)
        latents, metric = self.pool_latents[index], self.pool_metric[index]
        step = self.orthogonality_step * (2.0 * torch.randint(2, (1,), generator=rng).item() - 1)
        directions = (self.paths.fan(latents, step) - latents[:, None]) / step  # (N, K, D)
        gram = directions @ metric @ directions.mT
        length = gram.diagonal(dim1=1, dim2=2).clamp_min(1e-12).sqrt()
        cosines = gram / (length[:, :, None] * length[:, None])
        # paths that coincide would have a determinant of 0
        return (
            -torch.linalg.slogdet(cosines + 1e-4 * torch.eye(self.paths.num_paths, device=self.device))[1].mean()
            / self.paths.num_paths
        )

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        moves, rng = self.draw_moves(batch_idx, VALIDATION)
        pair = pair_with_others(moves, self.paths.num_paths, rng)
        sequences = {"k"} | (self.validation.sequences if self.validation else set())
        views = view_sequences(self.space, self.paths, moves, pair, sequences, self.attributes)
        if self.validation:
            self.validation.update(moves, pair, views)
        if self.side_effects is not None:
            self.side_effects.update(views, pair)
        logits, amount = self.reconstructor(views[""].images, views["k"].images)
        self.means["accuracy"].update((logits.argmax(1) == moves.k).float())
        self.means["amount_error"].update((amount - moves.eps).abs())
        # accuracy counts only at equal edit length: the same moves again, each as long as its amount says
        eps = find_amounts(self.space, self.paths, moves, moves.eps.abs())
        after = self.space.decode(
            moves.codes.moved(self.paths.shift(moves.codes.latents, moves.k, eps, moves.codes.given))
        )
        logits, _ = self.reconstructor(views[""].images, after)
        self.means["accuracy_at_length"].update((logits.argmax(1) == moves.k).float())

    def on_validation_epoch_end(self) -> None:
        scores = self.validation.compute(self.all_gather) if self.validation else {}
        own = {**self.means, **({} if self.side_effects is None else {"side_effects": self.side_effects})}
        for name, metric in own.items():
            scores[name] = metric.compute()
            metric.reset()
        self.log_dict({f"val/{name}": value for name, value in scores.items()}, rank_zero_only=True)
