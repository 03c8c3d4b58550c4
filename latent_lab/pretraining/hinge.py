"""Adversarial training of a generator from scratch."""

from __future__ import annotations

import copy
from functools import partial

import torch
from torch import Tensor, nn

from latent_lab.data.folder import FolderImages
from latent_lab.data.images import IdxImages
from latent_lab.gans.base import Generator
from latent_lab.ops.streams import stream
from latent_lab.pretraining.base import Pretraining
from latent_lab.training.seeded import MakeOptimiser

ADAM = partial(torch.optim.Adam, betas=(0.0, 0.9))


class HingePretraining(Pretraining):
    r"""Hinge-loss adversarial training with an exponential moving average of the generator.

    .. math::
        L_D = \mathbb{E}[\max(0, 1 - D(x))] + \mathbb{E}[\max(0, 1 + D(G(z)))], \qquad L_G = -\mathbb{E}[D(G(z))]

    References:
        | Spectral Normalization for Generative Adversarial Networks (Miyato et al., 2018), Eq. 17-18
        | https://arxiv.org/abs/1802.05957

    Arguments:
        generator, data, seed: See :class:`Pretraining`.
        critic: Maps images to scores :math:`(N,)`.
        lr_generator, lr_critic: Learning rates.
        ema: Decay of the averaged generator; it starts at 0.1 and grows to this value.
        optimiser: Makes each of the two optimisers; Adam with betas 0 and 0.9 by default.
        training: Other options of :class:`Pretraining`.
    """

    remedy = "a smaller gan.pretraining.lr_generator and lr_critic"

    def __init__(
        self,
        generator: Generator,
        data: IdxImages | FolderImages,
        seed: int,
        critic: nn.Module,
        lr_generator: float,
        lr_critic: float,
        ema: float,
        optimiser: MakeOptimiser = ADAM,
        **training,
    ) -> None:
        super().__init__(generator, data, seed, optimiser=optimiser, **training)
        self.critic, self.average = critic, copy.deepcopy(generator).requires_grad_(False)
        self.lr_generator, self.lr_critic, self.ema = lr_generator, lr_critic, ema

    def optimisers_of_run(self) -> list[torch.optim.Optimizer]:
        return [
            self.groups_optimiser([{"params": list(module.parameters()), "lr": lr}])
            for module, lr in ((self.generator, self.lr_generator), (self.critic, self.lr_critic))
        ]

    def draw_fakes(self, num: int, purpose: int) -> Tensor:
        """Return images of ``num`` samples drawn for this step; ``purpose`` separates its streams of random numbers."""
        rng = self.rng(self.step, purpose)
        return self.generator(self.generator.sample(self.generator.spaces[0], num, rng, 1.0).latents)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images = batch[0]
        (generator_optimiser, critic_optimiser), step = self.stepped_optimisers(), self.step

        with torch.no_grad():
            fakes = self.draw_fakes(len(images), 0)
        real, fake = self.critic(torch.cat([images, fakes])).chunk(2)
        critic_loss = (1 - real).relu().mean() + (1 + fake).relu().mean()
        self.take(critic_optimiser, critic_loss)

        self.critic.requires_grad_(False)  # the generator's step needs no gradients of the critic's weights
        generator_loss = -self.critic(self.draw_fakes(len(images), 1)).mean()
        self.take(generator_optimiser, generator_loss)
        self.critic.requires_grad_(True)

        self.advance_schedules()
        decay = min(self.ema, (1 + step) / (10 + step))
        for mean, value in zip(self.average.parameters(), self.generator.parameters()):
            mean.lerp_(value.detach(), 1 - decay)
        self.log_dict({"train/critic": critic_loss.detach(), "train/generator": generator_loss.detach()}, prog_bar=True)

    def take(self, optimiser, loss: Tensor) -> None:
        """Take one step of one optimiser. A loss that is not finite stops the run."""
        self.require_finite({"loss": loss})
        optimiser.zero_grad()
        self.manual_backward(loss)
        optimiser.step()

    @torch.no_grad()
    def finish(self, batches: int, num: int = 128) -> Generator:
        """Return the averaged generator, with the statistics of its batch normalisation measured anew on ``batches *
        num`` latents."""
        for module in self.average.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None  # cumulative mean
        self.average.train()
        for batch in range(batches):
            latents = self.average.sample(self.average.spaces[0], num, stream(self.seed, 0, batch, 3), 1.0).latents
            self.average(latents)
        return self.average.eval()
