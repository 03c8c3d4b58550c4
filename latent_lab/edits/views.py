"""Images of sequences of edits. They are decoded once and read by every metric and figure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes, Predictor
from latent_lab.edits.moves import Moves
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace

if TYPE_CHECKING:
    from latent_lab.paths.base import Paths


class View(NamedTuple):
    """The outcome of a sequence of edits.

    Arguments:
        latents: Latents, with shape :math:`(N, D)`.
        images: Images :math:`(N, C, H, W)` in [-1, 1]; without channels where they were not kept.
        attributes: Their attributes, with shape :math:`(N, A)`, or None.
        identity: Their identity's embedding, with shape :math:`(N, E)`, or None.
    """

    latents: Tensor
    images: Tensor
    attributes: Tensor | None = None
    identity: Tensor | None = None

    def require_attributes(self) -> Tensor:
        """Return the attributes.

        Raises:
            ValueError: They were not measured.
        """
        if self.attributes is None:
            raise ValueError("attributes of this view were not measured, for the subject has none")
        return self.attributes

    def require_identity(self) -> Tensor:
        """Return the identity's embedding.

        Raises:
            ValueError: It was not measured.
        """
        if self.identity is None:
            raise ValueError("the identity of this view was not measured, for the subject has no such network")
        return self.identity

    def repeat_interleave(self, times: int) -> View:
        """Return each row several times, all of one together."""
        return View(
            self.latents.repeat_interleave(times, 0),
            self.images.repeat_interleave(times, 0),
            None if self.attributes is None else self.attributes.repeat_interleave(times, 0),
            None if self.identity is None else self.identity.repeat_interleave(times, 0),
        )

    def without_images(self) -> View:
        """Return the same view, whose images have no channels."""
        return self._replace(images=self.images.new_zeros(len(self.images), 0, *self.images.shape[2:]))


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
    space: LatentSpace, codes: Codes, attributes: Attributes | None = None, identity: Predictor | None = None
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
    identity: Predictor | None,
    batch_size: int,
    keep_images: bool = True,
) -> View:
    """Decode and measure codes as :func:`view` does, a batch at a time, and drop the images unless ``keep_images``."""
    parts = []
    for i in range(0, len(codes), batch_size):
        part = view(space, codes.select(slice(i, i + batch_size)), attributes, identity)
        parts.append(part if keep_images else part.without_images())
    return View(
        torch.cat([part.latents for part in parts]),
        torch.cat([part.images for part in parts]),
        None if attributes is None else torch.cat([part.require_attributes() for part in parts]),
        None if identity is None else torch.cat([part.require_identity() for part in parts]),
    )


@torch.no_grad()
def measure_in_batches(space: LatentSpace, codes: Codes, predictor: Predictor, batch_size: int) -> Tensor:
    """Return what a predictor reads off the images of codes, which are decoded a batch at a time."""
    parts = [codes.select(slice(i, i + batch_size)) for i in range(0, len(codes), batch_size)]
    return torch.cat([predictor.measure(space, part, space.decode(part).float()) for part in parts])


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
