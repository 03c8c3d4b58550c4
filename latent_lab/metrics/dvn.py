"""Changes by paths among those of real images: the direction variation naturalness of Voynov & Babenko."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.gans.space import LatentSpace
from latent_lab.metrics.base import NAN, Measurement, Score, Setting
from latent_lab.ops.streams import EVALUATION, stream
from latent_lab.paths.base import Paths

if TYPE_CHECKING:
    from latent_lab.evaluation.subject import Subject

NATURALNESS = 5  # stream of this score


class Binary(nn.Sequential):
    """A small network that tells two kinds of images apart: :math:`(N, C, H, W)` to logits :math:`(N,)`."""

    def __init__(self, image_channels: int) -> None:
        def stage(inner: int, outer: int) -> list[nn.Module]:
            return [nn.Conv2d(inner, outer, 3, stride=2, padding=1), nn.BatchNorm2d(outer), nn.ReLU()]

        super().__init__(
            *stage(image_channels, 16),
            *stage(16, 32),
            *stage(32, 64),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 1),
            nn.Flatten(0),
        )


def variation_naturalness(
    space: LatentSpace,
    paths: Paths,
    k: int,
    amount: float,
    real: Tensor,
    seed: int,
    steps: int = 100,
    batch_size: int = 32,
    num: int = 256,
) -> float:
    r"""Accuracy of a classifier that learned a path's two ends from pseudo-labelled real images only; 0.5 is chance.

    A network learns to tell :math:`G(\phi_k^{-a}(z))` from :math:`G(\phi_k^{+a}(z))`; it labels the real images (split
    at its median, so that both labels occur); a fresh one learns from these; its accuracy on generated ends is the
    score. The amount is the one of equal length, not a fixed number that means another length for each method.

    References:
        | Unsupervised Discovery of Interpretable Directions in the GAN Latent Space (Voynov & Babenko, 2020), Section
          4.2
        | https://arxiv.org/abs/2002.03754

    Arguments:
        k: The path.
        amount: Its amount a at each end.
        real: Real images, with shape :math:`(M, C, H, W)`.
        seed: Seed of both networks and of the latents.
        steps, batch_size: Budget of each network.
        num: Generated images that the score is measured on.
    """

    @torch.no_grad()
    def ends(size: int, step: int) -> tuple[Tensor, Tensor]:
        rng = stream(seed, NATURALNESS, step, EVALUATION)
        codes = paths.anchor(space, space.sample(size, rng))
        label = torch.randint(2, (size,), generator=rng).to(codes.latents.device)
        index = torch.full_like(label, k)
        return space.decode(
            codes.moved(paths.shift(codes.latents, index, amount * (2.0 * label - 1), codes.given))
        ).float(), label.float()

    def fit(batch: Callable[[int], tuple[Tensor, Tensor]]) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = Binary(real.shape[1]).to(real.device)
        optimiser = torch.optim.Adam(model.parameters(), 2e-3)
        for step in range(steps):
            images, label = batch(step)
            loss = F.binary_cross_entropy_with_logits(model(images), label)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return model.eval()

    teacher = fit(lambda step: ends(batch_size, step))
    with torch.no_grad():
        logits = torch.cat([teacher(part) for part in real.split(512)])
        labels = (logits > logits.median()).float()
    order = torch.randint(len(real), (steps, batch_size), generator=stream(seed, NATURALNESS, steps, EVALUATION)).to(
        real.device
    )
    pupil = fit(lambda step: (real[order[step]], labels[order[step]]))
    with torch.no_grad():
        images, label = ends(num, steps + 1)
        return ((pupil(images) > 0) == (label > 0)).double().mean().item()


class Naturalness(Measurement):
    """:func:`variation_naturalness` of each chosen path, where real images are here: an evaluation fetches nothing.

    Arguments:
        steps, batch_size: Budget of each network.
        num: Generated images that the score is measured on.
    """

    def __init__(self, steps: int, batch_size: int, num: int) -> None:
        self.steps, self.batch_size, self.num = steps, batch_size, num

    def obstacle(self, subject: Subject) -> str:
        data, generator = subject.data, subject.space.generator
        if data is None:
            return "it needs real images, and this data set has none"
        if not data.is_here:
            return f"it needs real images, and {data.folder} does not hold the images"
        data.setup()
        expected = (generator.channels, generator.resolution, generator.resolution)
        if data.image_shape != expected:
            return f"it needs images of shape {expected}, this data set has {data.image_shape}"
        return ""

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        subject = setting.subject
        if subject.data is None:
            raise ValueError(self.obstacle(subject))
        real = subject.data.held_out_split()[0].to(subject.space.device)
        values = [
            variation_naturalness(
                subject.space,
                subject.paths,
                pick.path,
                pick.amount,
                real,
                setting.seed,
                self.steps,
                self.batch_size,
                self.num,
            )
            for pick in setting.plan.chosen
        ]
        unit = "accuracy, 0.5 is chance"
        return [
            Score("naturalness/mean", sum(values) / len(values), NAN, NAN, self.num, unit, "higher"),
            Score("naturalness/best", max(values), NAN, NAN, self.num, unit, "higher"),
        ]
