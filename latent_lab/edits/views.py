"""Images of sequences of edits: made once, read by every metric and picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from latent_lab.attributes.base import Attributes
from latent_lab.edits.moves import Moves
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace

if TYPE_CHECKING:
    from latent_lab.paths.base import Paths


class View(NamedTuple):
    """What a sequence of edits led to: latents :math:`(N, D)`, images :math:`(N, C, H, W)`, attributes :math:`(N, A)`
    or None, and the identity's embedding :math:`(N, E)` or None."""

    latents: Tensor
    images: Tensor
    attributes: Tensor | None = None
    identity: Tensor | None = None


class Pair(NamedTuple):
    """Two edits of the same codes.

    Arguments:
        k, l: Paths, with shape :math:`(N,)`.
        eps_k, eps_l: Signed amounts, with shape :math:`(N,)`.
    """

    k: Tensor
    l: Tensor
    eps_k: Tensor
    eps_l: Tensor


def pair_with_others(moves: Moves, num_paths: int, rng: torch.Generator) -> Pair:
    """A second path for each move, uniform over the others (the same one if there is no other), with the same
    amount."""
    offset = torch.randint(1, max(num_paths, 2), moves.k.shape, generator=rng).to(moves.k.device)
    return Pair(moves.k, (moves.k + offset) % num_paths, moves.eps, moves.eps)


def after_sequence(paths: Paths, moves: Moves, pair: Pair, sequence: str) -> Tensor:
    """Latents after a sequence of edits: ``k`` and ``l`` make an edit, ``K`` and ``L`` undo it; ``klKL`` undoes in the
    same order."""
    steps = {
        "k": (pair.k, pair.eps_k),
        "l": (pair.l, pair.eps_l),
        "K": (pair.k, -pair.eps_k),
        "L": (pair.l, -pair.eps_l),
    }
    latents = moves.codes.latents
    for letter in sequence:
        latents = paths.shift(latents, *steps[letter], moves.codes.given)
    return latents


@torch.no_grad()
def view(
    space: LatentSpace, codes: Codes, attributes: Attributes | None = None, identity: nn.Module | None = None
) -> View:
    """The codes decoded once, with all that is measured on their images."""
    images = space.decode(codes).float()
    return View(
        codes.latents,
        images,
        attributes.measure(space, codes, images) if attributes is not None else None,
        identity.measure(space, codes, images) if identity is not None else None,
    )


def view_in_batches(
    space: LatentSpace,
    codes: Codes,
    attributes: Attributes | None,
    identity: nn.Module | None,
    batch_size: int,
    keep_images: bool = True,
) -> View:
    """:func:`view`, a batch at a time; without ``keep_images`` the images are dropped as soon as they are measured."""
    starts = range(0, len(codes), batch_size)
    parts = []
    for i in starts:
        part = view(space, codes.select(slice(i, i + batch_size)), attributes, identity)
        parts.append(part if keep_images else part._replace(images=None))
    return View(*[None if values[0] is None else torch.cat(values) for values in zip(*parts)])


@torch.no_grad()
def view_sequences(
    space: LatentSpace,
    paths: Paths,
    moves: Moves,
    pair: Pair,
    sequences: Iterable[str],
    attributes: Attributes | None = None,
) -> dict[str, View]:
    """Each distinct sequence, decoded once in one batch; the empty one is the original."""
    names = sorted(set(sequences) | {""}, key=len)
    return {
        name: view(space, moves.codes.moved(after_sequence(paths, moves, pair, name)), attributes) for name in names
    }


@torch.no_grad()
def amounts_for_length(space: LatentSpace, paths: Paths, moves: Moves, length: Tensor, iterations: int = 6) -> Tensor:
    r"""Signed amounts :math:`(N,)` whose realised lengths, as the generator sees them, are ``length`` :math:`(N,)`.

    Fixed-point iteration :math:`\varepsilon \leftarrow \varepsilon \cdot \text{length} / \|z' - z\|` from the moves'
    amounts, at most a factor 2 a time. A path that bends back may not reach a length; it gets the last iterate.
    """
    start, eps = space.visible(moves.codes.latents), moves.eps
    for _ in range(iterations):
        end = space.visible(paths.shift(moves.codes.latents, moves.k, eps, moves.codes.given))
        realised = torch.linalg.vector_norm((end - start).flatten(1), dim=1)
        factor = length / realised.clamp_min(torch.finfo(realised.dtype).tiny)
        if ((factor - 1).abs() < 1e-3).all():
            break
        eps = eps * factor.clamp(0.5, 2)
    return eps
