"""The realism of edited images: a distance of distributions over the length of an edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from latent_lab.gans.space import LatentSpace
from latent_lab.metrics.base import Bootstrap, Measurement, Score, Setting
from latent_lab.ops.streams import EVALUATION, stream
from latent_lab.paths.base import Paths

if TYPE_CHECKING:
    from latent_lab.evaluation.subject import Subject

QUALITY, RESAMPLES = 6, 7  # streams of this score


def kernel(one: Tensor, other: Tensor) -> Tensor:
    r"""Return :math:`(x^\top y / F + 1)^3` of all pairs of features :math:`(N, F)` and :math:`(M, F)`."""
    return (one.double() @ other.double().mT / one.shape[1] + 1) ** 3


def kernel_distance(real: Tensor, made: Tensor, weights: tuple[Tensor, Tensor] | None = None) -> Tensor:
    r"""Return the unbiased squared kernel distance of two samples of features, with shape :math:`(R,)`.

    .. math:: \frac{\sum_{i \ne j} u_i u_j k(x_i, x_j)}{\sum_{i \ne j} u_i u_j}
        + \frac{\sum_{i \ne j} v_i v_j k(y_i, y_j)}{\sum_{i \ne j} v_i v_j}
        - 2 \frac{\sum_{i, j} u_i v_j k(x_i, y_j)}{\sum_{i, j} u_i v_j}

    with the cubic kernel k. A resample is a weighting by how often it has each image: the pairs of an image with
    itself, which a resample is full of, never count.

    References:
        | Demystifying MMD GANs (Binkowski et al., 2018), Section 4
        | https://arxiv.org/abs/1801.01401

    Arguments:
        real, made: Features, with shapes :math:`(N, F)` and :math:`(M, F)`, two images at least.
        weights: Weights u and v of the images in each resample, with shapes :math:`(R, N)` and :math:`(R, M)`; None for
            the samples as they are, R = 1.

    Example:
        >>> x = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
        >>> kernel_distance(x, x + 2).round(decimals=3)
        tensor([181.3330], dtype=torch.float64)
    """
    ones = [torch.ones(1, len(part), dtype=torch.float64, device=part.device) for part in (real, made)]
    u, v = ones if weights is None else (part.double().to(real.device) for part in weights)

    def within(features: Tensor, weight: Tensor) -> Tensor:
        table = kernel(features, features).fill_diagonal_(0)
        return ((weight @ table) * weight).sum(1) / (weight.sum(1).square() - weight.square().sum(1))

    across = ((u @ kernel(real, made)) * v).sum(1) / (u.sum(1) * v.sum(1))
    return within(real, u) + within(made, v) - 2 * across


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
    resamples: int = 1000,
) -> list[tuple[float, float, float, float]]:
    r"""Return the :func:`kernel_distance` between samples of the prior and edited ones, for shares of the amounts, with
    the ends of its 95 % interval over images: (share, distance, low, high).

    Every edit takes a random path and sign; the samples compared with are others than those edited.

    Arguments:
        space, paths: The edits.
        features: Maps images to features :math:`(N, F)`; say which network it was beside the numbers.
        amounts: The amount of each path that gives the compared length, with shape :math:`(K,)`.
        shares: Shares of these amounts; 0 is the floor, samples against samples.
        num: Images of each kind.
        batch_size: Images decoded at once.
        seed: Seed of the samples and the resamples.
        resamples: Resamples of the interval. Both kinds of images are drawn anew, independently.
    """
    device, real = amounts.device, []
    made: dict[float, list[Tensor]] = {share: [] for share in shares}
    for i, start in enumerate(range(0, num, batch_size)):
        size = min(batch_size, num - start)
        rng = stream(seed, QUALITY, i, EVALUATION)
        real.append(features(space.decode(space.sample(size, rng)).float()))
        codes = paths.anchor(space, space.sample(size, rng))
        k = torch.randint(paths.num_paths, (size,), generator=rng).to(device)
        sign = 2.0 * torch.randint(2, (size,), generator=rng).to(device) - 1
        for share, parts in made.items():
            moved = codes.moved(paths.shift(codes.latents, k, share * sign * amounts[k], codes.given))
            parts.append(features(space.decode(moved).float()))
    rng = stream(seed, RESAMPLES, 0, EVALUATION)
    draws = [Bootstrap(num, resamples, rng) for _ in range(2)]
    weights = [torch.zeros(resamples, num).scatter_add_(1, draw.index, torch.ones(resamples, num)) for draw in draws]
    curve = []
    for share, parts in made.items():
        pair = torch.cat(real), torch.cat(parts)
        distances = kernel_distance(*pair, (weights[0], weights[1])).cpu()
        curve.append((share, kernel_distance(*pair).item(), *draws[0].interval(distances)))
    return curve


class Quality(Measurement):
    """:func:`path_quality` by the data set's own feature network, which the scores' names say.

    Arguments:
        shares: Shares of the compared length.
        num: Images of each kind.
    """

    def __init__(self, shares: Sequence[float], num: int) -> None:
        self.shares, self.num = shares, num

    def obstacle(self, subject: Subject) -> str:
        reads_images = (
            isinstance(subject.identity, nn.Module) and type(subject.identity).forward is not nn.Module.forward
        )
        return "" if reads_images else "this data set has no feature network of images"

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        subject = setting.subject
        if subject.identity is None:
            raise ValueError(self.obstacle(subject))
        curve = path_quality(
            subject.space,
            subject.paths,
            subject.identity,
            setting.plan.amounts.to(subject.space.device),
            list(self.shares),
            self.num,
            setting.protocol.batch_size,
            setting.seed,
            setting.protocol.resamples,
        )
        name = f"quality/kid_{type(subject.identity).__name__}"
        return [
            Score(f"{name}/{share:g}", value, low, high, self.num, "squared distance", "lower")
            for share, value, low, high in curve
        ]
