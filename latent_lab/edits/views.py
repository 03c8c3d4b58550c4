"""Images of sequences of edits. They are decoded once and read by every metric and figure."""

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
    """The outcome of a sequence of edits.

    Arguments:
        latents: Latents, with shape :math:`(N, D)`.
        images: Images :math:`(N, C, H, W)` in [-1, 1].
        attributes: Their attributes, with shape :math:`(N, A)`, or None.
        identity: Their identity's embedding, with shape :math:`(N, E)`, or None.
    """

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
    """Draw a second path for each move, uniform over the others, with the same amount.

    If there is only one path, it is paired with itself.
    """
    offset = torch.randint(1, max(num_paths, 2), moves.k.shape, generator=rng).to(moves.k.device)
    return Pair(moves.k, (moves.k + offset) % num_paths, moves.eps, moves.eps)


def apply_sequence(paths: Paths, moves: Moves, pair: Pair, sequence: str) -> Tensor:
    """Return the latents after a sequence of edits.

    Arguments:
        paths: The paths.
        moves: The edits, whose codes are where the sequence starts.
        pair: The two edits.
        sequence: Letters: ``k`` and ``l`` make an edit, ``K`` and ``L`` undo it. So ``klKL`` undoes them in the same
            order.
    """
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
    """Decode codes once and measure attributes and identity of their images."""
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
    """Decode and measure codes as :func:`view` does, a batch at a time, and drop the images unless ``keep_images``."""
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
    """Decode each distinct sequence once, as one batch. The empty sequence gives the original."""
    names = sorted(set(sequences) | {""}, key=len)
    return {
        name: view(space, moves.codes.moved(apply_sequence(paths, moves, pair, name)), attributes) for name in names
    }
