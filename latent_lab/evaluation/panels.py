"""The images that a report shows of the chosen paths."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.edits.moves import Moves
from latent_lab.edits.views import Pair, apply_sequence, view_in_batches
from latent_lab.evaluation.plan import Plan
from latent_lab.evaluation.protocol import Protocol
from latent_lab.gans.space import LatentSpace
from latent_lab.metrics.base import RANKING, Picture
from latent_lab.ops.streams import EVALUATION, stream
from latent_lab.paths.base import Paths

PICTURES = {
    "strips": Picture(
        "The chosen paths from one latent, over the amount of the edit; the original is framed.",
        "the chosen paths from the same latent",
    ),
    "sequences": Picture(
        "Two edits one after the other, in both orders, and undone in the order in which they were made: with "
        "commuting edits columns 3 and 4 agree, and the last is the original.",
        "sequential edits",
    ),
}


def strip_images(space: LatentSpace, paths: Paths, plan: Plan, protocol: Protocol, shares: list[float]) -> Tensor:
    """Return images of each chosen path over shares of its amount, from one latent for all, with shape :math:`(P, S, C,
    H, W)`."""
    device = space.device
    codes = space.sample(protocol.ranking_latents, stream(protocol.seed, RANKING, 0, EVALUATION))
    codes = paths.anchor(space, codes.select(slice(0, 1)))
    one = codes.repeat(len(plan.chosen) * len(shares))
    k = plan.paths.to(device).repeat_interleave(len(shares))
    eps = torch.tensor([share * pick.amount * pick.sign for pick in plan.chosen for share in shares], device=device)
    images = view_in_batches(
        space, one.moved(paths.shift(one.latents, k, eps, one.given)), None, None, protocol.batch_size
    ).images
    return images.unflatten(0, (len(plan.chosen), len(shares))).cpu()


def sequence_images(
    space: LatentSpace, paths: Paths, plan: Plan, protocol: Protocol, labels: list[str]
) -> tuple[list[str], Tensor]:
    """Return images of sequential edits: original, edit 1, 1 then 2, 2 then 1, undone in the same order; a row and a
    label for each of up to four pairs of paths."""
    device = space.device
    rows = max(1, min(len(labels) // 2, 4))
    first = torch.arange(rows)
    second = (first + rows) % len(labels)
    codes = paths.anchor(space, space.sample(rows, stream(protocol.seed, RANKING, 2, EVALUATION)))
    one, other = plan.paths[first].to(device), plan.paths[second].to(device)
    amounts = plan.amounts.to(device)
    pair = Pair(one, other, amounts[one], amounts[other])
    moves = Moves(codes, one, pair.eps_k)
    images = [
        view_in_batches(
            space, codes.moved(apply_sequence(paths, moves, pair, name)), None, None, protocol.batch_size
        ).images
        for name in ("", "k", "kl", "lk", "klKL")
    ]
    titles = [f"1: path {labels[i]}\n2: path {labels[j]}" for i, j in zip(first.tolist(), second.tolist())]
    return titles, torch.stack(images, 1).cpu()
