"""Amounts along paths whose realised lengths are the wanted ones, whatever the scale of a path's amounts."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.edits.moves import Moves
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.paths.base import Paths


def realised_length(space: LatentSpace, paths: Paths, moves: Moves) -> Tensor:
    """Return the lengths of edits as the generator sees them, with shape :math:`(N,)`."""
    start = moves.codes.latents
    end = paths.shift(start, moves.k, moves.eps, moves.codes.given)
    return torch.linalg.vector_norm((space.visible(end) - space.visible(start)).flatten(1), dim=1)


@torch.no_grad()
def find_amounts(space: LatentSpace, paths: Paths, moves: Moves, length: Tensor, iterations: int = 6) -> Tensor:
    r"""Return signed amounts :math:`(N,)` whose realised lengths, as the generator sees them, are ``length``
    :math:`(N,)`.

    Fixed-point iteration :math:`\varepsilon \leftarrow \varepsilon \cdot \text{length} / \|z' - z\|` from the moves'
    amounts, at most a factor 2 a time. A path that bends back may not reach a length; it gets the last iterate.
    """
    eps = moves.eps
    for _ in range(iterations):
        realised = realised_length(space, paths, moves._replace(eps=eps))
        factor = length / realised.clamp_min(torch.finfo(realised.dtype).tiny)
        wrong = (factor - 1).abs() >= 1e-3
        if not wrong.any():
            break
        eps = eps * factor.clamp(0.5, 2).where(wrong, torch.ones_like(factor))  # a row never depends on the others
    return eps


@torch.no_grad()
def find_scales(space: LatentSpace, paths: Paths, codes: Codes, length: float, doublings: int = 30) -> Tensor:
    """Return an amount of each path, a power of two, that makes edits about as long as ``length``, with shape
    :math:`(K,)`.

    From 1 an amount is doubled while the mean realised length over the codes is at most half of the wanted one, or
    halved while it is above it. It is nan for a path that moves nothing. A path that gets no longer keeps the amount at
    which that began.

    Arguments:
        space: The latent space.
        paths: The K paths.
        codes: A few anchored codes.
        length: The wanted length, in units of the latent.
        doublings: Steps at most; beyond :math:`2^{30}` a path counts as one that moves nothing.
    """
    num, device = len(codes), codes.latents.device

    def mean_length(k: Tensor, eps: Tensor) -> Tensor:
        many = codes.repeat(len(k))
        found = realised_length(space, paths, Moves(many, k.repeat(num), eps.repeat(num)))
        return found.nan_to_num(float("inf")).unflatten(0, (num, len(k))).mean(0)

    every = torch.arange(paths.num_paths, device=device)
    scales = torch.ones(paths.num_paths, device=device)
    lengths = mean_length(every, scales)
    growing = lengths <= length
    active = torch.where(growing, lengths <= length / 2, lengths > length)
    for _ in range(doublings):
        k = every[active]
        if not len(k):
            break
        tried = scales[k] * torch.where(growing[k], 2.0, 0.5)
        found = mean_length(k, tried)
        stuck = growing[k] & (lengths[k] > 0) & (found <= 1.001 * lengths[k])
        scales[k], lengths[k] = tried.where(~stuck, scales[k]), found.where(~stuck, lengths[k])
        active[k] = ~stuck & torch.where(growing[k], found <= length / 2, found > length)
    return scales.where(lengths > 0, torch.full_like(scales, float("nan")))
