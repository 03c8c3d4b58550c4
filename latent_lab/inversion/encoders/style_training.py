"""The trainings of pSp and ReStyle, and of e4e, whose latents stay where edits work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.inversion.encoders.encoder import EncoderInverter, LatentEncoder
from latent_lab.inversion.encoders.latent_critic import LatentCritic, LatentPool
from latent_lab.inversion.encoders.style_encoder import StyleEncoder, resize
from latent_lab.inversion.encoders.training import EncoderTraining


class StyleEncoderTraining(EncoderTraining):
    """Trains an encoder by reconstruction. With several iterations it trains a refining one (ReStyle), each iteration
    from where the last one ended.

    Every iteration adds its gradient, none goes back through the iteration before, and one step is taken for all of
    them.

    References:
        | Encoding in Style: a StyleGAN Encoder for Image-to-Image Translation (Richardson et al., 2021), Eq. 3-7
        | https://arxiv.org/abs/2008.00951
        | ReStyle: A Residual-Based StyleGAN Encoder via Iterative Refinement (Alaluf et al., 2021), Section 3.2
        | https://arxiv.org/abs/2104.02699

    Arguments:
        network: Makes the encoder for ``rows``, ``style_dim``, ``image_channels`` and ``deltas``.
        iterations: Number of times that an image is shown; above 1 the encoder sees what it has reached.
        editable: Whether rows are differences from the first (e4e).
        options: Options of :class:`EncoderTraining`.
    """

    kept = ("encoder.",)
    previews = True  # if it has as many pixels as the encoder sees

    def __init__(
        self, network: Callable[..., StyleEncoder], iterations: int = 1, editable: bool = False, **options
    ) -> None:
        super().__init__(**options)
        if iterations < 1:
            raise ValueError(f"encoder.iterations must be at least 1, got {iterations}")
        (rows, style_dim), channels = self.space.shape, self.space.generator.channels
        made = network(
            rows=rows,
            style_dim=style_dim,
            image_channels=channels * (2 if iterations > 1 else 1),
            deltas=rows - 1 if editable else None,
        )
        self.encoder = LatentEncoder(made, self.space.generator.mapping.mean.expand(rows, -1))
        self.iterations = iterations
        if self.shown.generator.resolution < made.resolution:
            self.shown = self.space

    def optimisers_of_run(self) -> list[torch.optim.Optimizer]:
        return [self.optimiser(self.encoder.parameters())]

    def training_step(self, batch, batch_idx: int) -> None:
        examples, optimiser = self.examples(batch), self.stepped_optimisers()[0]
        seen = resize(examples.images, self.encoder.network.resolution)
        latents, reached = self.encoder.start(len(seen)), None
        if self.iterations > 1:
            with torch.no_grad():
                reached = self.encoder.decode_reached(self.shown, latents[:1]).expand_as(seen)
        optimiser.zero_grad()
        for _ in range(self.iterations):
            found = self.encoder(seen, latents, reached)
            if self.iterations > 1 or self.objective.sees_images:
                reached = self.encoder.decode_reached(self.shown, found)
            terms = self.image_terms(reached, seen) | self.latent_terms(found, examples.latents)
            loss = self.objective.total(terms)
            self.descend(loss)
            latents = found.detach()
            reached = reached.detach() if self.iterations > 1 else None
        optimiser.step()
        terms |= self.after(latents, examples.rng)
        self.end_step(terms, loss)

    def latent_terms(self, found: Tensor, known: Tensor | None) -> dict[str, Tensor]:
        """Return the terms of the loss that depend on the latents :math:`(N, L, D)` alone. ``known`` are those that the
        images were made from, or None."""
        terms = {"offsets": torch.linalg.vector_norm(found - self.encoder.mean, dim=2).mean()}
        return terms if known is None else terms | {"latents": (found - known).square().mean()}

    def after(self, found: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Train what is trained beside the encoder in the same step, and return what is logged of it. Here there is
        nothing."""
        return {}

    def networks(self) -> dict[str, nn.Module]:
        return {"encoder": self.encoder.network}

    def known(self) -> tuple[Tensor, int]:
        return self.encoder.mean, self.iterations

    def inverter(self, weights: Path) -> EncoderInverter:
        return EncoderInverter(str(weights))


class EditableEncoderTraining(StyleEncoderTraining):
    r"""Trains e4e: at first one style for all rows; then row after row may differ from it, a little, as long as a
    critic takes each for the mapping's.

    .. math:: L = L_{\text{image}} + \lambda_\Delta \sum_i \mathbb{E} \|\Delta_i\| + \lambda_D
        \mathbb{E}[\mathrm{softplus}(-D(w_i))]

    The critic's loss is the non-saturating one with the penalty :math:`\tfrac{\gamma}{2} \mathbb{E}\|\nabla D(w)\|^2`.

    References:
        | Designing an Encoder for StyleGAN Image Manipulation (Tov et al., 2021), Section 4.1
        | https://arxiv.org/abs/2102.02766

    Arguments:
        first, every: The step at which the first row may differ, and the steps between two rows.
        lr_critic: Adam's learning rate of the critic.
        slope, slope_every: Weight :math:`\gamma` of the penalty, and the steps between two times that it is taken, each
            for all of them.
        pool: Earlier styles that the critic is shown again.
        network, iterations, options: See :class:`StyleEncoderTraining`.
    """

    optimisers = 2
    kept = ("encoder.", "critic.", "pool.")

    def __init__(
        self,
        network: Callable[..., StyleEncoder],
        first: int = 20000,
        every: int = 2000,
        lr_critic: float = 2e-5,
        slope: float = 10.0,
        slope_every: int = 16,
        pool: int = 50,
        **options,
    ) -> None:
        super().__init__(network, editable=True, **options)
        if first < 0 or every < 1 or slope_every < 1 or pool < 0:
            raise ValueError(
                f"encoder.first and pool must be at least 0, every and slope_every at least 1, got {first}, {pool}, "
                f"{every}, {slope_every}"
            )
        self.first, self.every, self.lr_critic, self.slope, self.slope_every = (
            first,
            every,
            lr_critic,
            slope,
            slope_every,
        )
        style_dim = self.space.shape[1]
        self.critic, self.pool = LatentCritic(style_dim), LatentPool(pool, style_dim)

    def optimisers_of_run(self) -> list[torch.optim.Optimizer]:
        return [*super().optimisers_of_run(), torch.optim.Adam(self.critic.parameters(), self.lr_critic)]

    def deltas_at(self, step: int) -> int:
        """Return how many rows may differ from the first at a step."""
        return 0 if step < self.first else min(self.space.shape[0] - 1, 1 + (step - self.first) // self.every)

    def training_step(self, batch, batch_idx: int) -> None:
        self.encoder.network.deltas = self.deltas_at(self.step)
        self.critic.requires_grad_(False)  # the encoder's step needs no gradients of the critic's weights
        super().training_step(batch, batch_idx)

    def free_rows(self, found: Tensor) -> Tensor:
        r"""Return the styles that are no repetitions of the first, with shape :math:`(N, 1 + \text{deltas}, D)`."""
        return found[:, : 1 + self.encoder.network.deltas]

    def latent_terms(self, found: Tensor, known: Tensor | None) -> dict[str, Tensor]:
        rows = self.free_rows(found)
        return super().latent_terms(found, known) | {
            "deltas": torch.linalg.vector_norm(rows[:, 1:] - rows[:, :1], dim=2).mean(0).sum(),
            "critic": F.softplus(-self.critic(rows.flatten(0, 1))).mean(),
        }

    def after(self, found: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        self.critic.requires_grad_(True)
        optimiser = self.stepped_optimisers()[1]
        real = self.space.generator.sample("w", len(found), rng).latents
        loss = self.critic.gap(real, self.pool.exchange(self.free_rows(found).flatten(0, 1), rng))
        if self.step % self.slope_every == 0:
            loss = loss + self.slope / 2 * self.slope_every * self.critic.slope(real)
        optimiser.zero_grad()
        self.descend(loss)
        optimiser.step()
        return {"critic_loss": loss}

    def on_fit_end(self) -> None:
        self.encoder.network.deltas = self.deltas_at(self.steps - 1)  # also where nothing was left to train
