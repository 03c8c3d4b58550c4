"""The realism of edited images: a distance of distributions over the length of an edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchmetrics.image.kid import KernelInceptionDistance

from latent_lab.gans.space import LatentSpace
from latent_lab.metrics.base import Measurement, Score, Setting
from latent_lab.ops.streams import EVALUATION, stream
from latent_lab.paths.base import Paths

QUALITY = 6  # stream of this score


@torch.no_grad()
def path_quality(
    space: LatentSpace,
    paths: Paths,
    features: nn.Module,
    amounts: Tensor,
    shares: Sequence[float],
    num: int,
    batch_size: int,
    seed: int,
) -> list[tuple[float, float, float]]:
    r"""Kernel distance between samples of the prior and edited ones, for shares of the amounts: (share, mean, deviation
    over subsets).

    Every edit takes a random path and sign; the samples compared with are others than those edited.

    References:
        | Demystifying MMD GANs (Binkowski et al., 2018), Section 4
        | https://arxiv.org/abs/1801.01401

    Arguments:
        features: Maps images to features :math:`(N, F)`; say which network it was beside the numbers.
        amounts: The amount of each path that gives the compared length, with shape :math:`(K,)`.
        shares: Shares of these amounts; 0 is the floor, samples against samples.
        num: Images of each kind.
    """
    device = amounts.device
    metrics = {
        share: KernelInceptionDistance(feature=features, subsets=20, subset_size=min(num, 500) // 2, normalize=True).to(
            device
        )
        for share in shares
    }
    for i, start in enumerate(range(0, num, batch_size)):
        size = min(batch_size, num - start)
        rng = stream(seed, QUALITY, i, EVALUATION)
        real, codes = space.decode(space.sample(size, rng)).float(), paths.anchor(space, space.sample(size, rng))
        k = torch.randint(paths.num_paths, (size,), generator=rng).to(device)
        sign = 2.0 * torch.randint(2, (size,), generator=rng).to(device) - 1
        for share, metric in metrics.items():
            moved = codes.moved(paths.shift(codes.latents, k, share * sign * amounts[k], codes.given))
            metric.update(real, real=True)
            metric.update(space.decode(moved).float(), real=False)
    curve = []
    for share, metric in metrics.items():
        with torch.random.fork_rng():
            torch.manual_seed(seed)  # the metric draws its subsets from the global source
            mean, deviation = metric.compute()
        curve.append((share, mean.item(), deviation.item()))
    return curve


class Quality(Measurement):
    """:func:`path_quality` by the data set's own feature network, which the scores' names say.

    Arguments:
        shares: Shares of the compared length.
        num: Images of each kind.
    """

    def __init__(self, shares: Sequence[float], num: int) -> None:
        self.shares, self.num = shares, num

    def obstacle(self, subject) -> str:
        reads_images = (
            isinstance(subject.identity, nn.Module) and type(subject.identity).forward is not nn.Module.forward
        )
        return "" if reads_images else "this data set has no feature network of images"

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        subject = setting.subject
        amounts = setting.plan.amounts.to(subject.space.device)
        batch = setting.protocol.batch_size
        curve = path_quality(
            subject.space, subject.paths, subject.identity, amounts, list(self.shares), self.num, batch, setting.seed
        )
        return [
            Score(
                f"quality/kid_{type(subject.identity).__name__}/{share:g}",
                mean,
                mean - 1.96 * deviation,
                mean + 1.96 * deviation,
                self.num,
                "squared distance",
                "lower",
            )
            for share, mean, deviation in curve
        ]
