"""The accuracy at which a fresh reconstructor, not the one of the training, tells paths apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.edits.moves import draw_moves
from latent_lab.gans.space import LatentSpace
from latent_lab.metrics.base import PRIOR, Bootstrap, Measurement, Score, Setting
from latent_lab.ops.streams import EVALUATION, stream
from latent_lab.paths.base import Paths

FRESH = 4  # stream of this score


def held_out_accuracy(
    space: LatentSpace,
    paths: Paths,
    reconstructor: Callable[..., nn.Module],
    amounts: Tensor,
    steps: int,
    batch_size: int,
    num: int,
    seed: int,
) -> Tensor:
    r"""Tell whether a fresh reconstructor names the path of each of ``num`` edits that it has not seen, with shape
    :math:`(num,)`.

    It is trained on the frozen paths for a fixed budget, on edits of equal length for all methods: an amount is a share
    in [0.1, 1] of the one that gives the compared length.

    Arguments:
        reconstructor: Makes the reconstructor from ``image_channels`` and ``num_paths``.
        amounts: The amount of each path that gives the compared length, with shape :math:`(K,)`.
        steps, batch_size: Its budget; Adam at 2e-3 that falls linearly to 0.
        num: Edits that it is judged on.
        seed: Seed of its initial values and of the edits.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = reconstructor(image_channels=space.generator.channels, num_paths=paths.num_paths).to(amounts.device)
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 1e-2, max(steps, 1))

    def pair(size: int, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        moves = draw_moves(space, size, paths.num_paths, (0.1, 1.0), stream(seed, FRESH, step, EVALUATION))
        moves = moves._replace(codes=paths.anchor(space, moves.codes))
        with torch.no_grad():
            after = paths.shift(moves.codes.latents, moves.k, moves.eps * amounts[moves.k], moves.codes.given)
            return space.decode(moves.codes).float(), space.decode(moves.codes.moved(after)).float(), moves.k, moves.eps

    for step in range(steps):
        before, after, k, eps = pair(batch_size, step)
        logits, amount = model(before, after)
        loss = F.cross_entropy(logits, k) + 0.25 * (amount - eps).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    model.eval()
    hits = []
    with torch.no_grad():
        for step in range(-(-num // batch_size)):
            before, after, k, _ = pair(min(batch_size, num - step * batch_size), steps + step)
            hits.append((model(before, after)[0].argmax(1) == k).double())
    return torch.cat(hits)


class HeldOutAccuracy(Measurement):
    """Accuracy of a fresh reconstructor on the frozen paths, see :func:`held_out_accuracy`.

    Arguments:
        reconstructor: Makes the reconstructor from ``image_channels`` and ``num_paths``.
        steps, batch_size: Its budget.
        num: Edits that it is judged on.
    """

    def __init__(self, reconstructor: Callable[..., nn.Module], steps: int, batch_size: int, num: int) -> None:
        self.reconstructor, self.steps, self.batch_size, self.num = reconstructor, steps, batch_size, num

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        space, paths = setting.subject.space, setting.subject.paths
        amounts = setting.plan.amounts.to(space.device)
        hits = held_out_accuracy(
            space, paths, self.reconstructor, amounts, self.steps, self.batch_size, self.num, setting.seed
        )
        resamples = setting.protocol.resamples
        bootstrap = Bootstrap(len(hits), resamples, stream(setting.seed, PRIOR, 1, EVALUATION))
        return [bootstrap.score("rca/held_out", hits.cpu(), f"share, after {self.steps} steps", "higher")]
