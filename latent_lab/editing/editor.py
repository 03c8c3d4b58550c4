"""Edits one after the other, on the codes of one image, in any order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from latent_lab.editing.sources import Picture
from latent_lab.edits.views import view_in_batches
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.naming import Edit
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import LayerwisePaths, layer_rows
from latent_lab.paths.local import LocalPaths

ALL_ORDERS = 3  # edits; of more, the order that was asked for and its reverse are compared


def editing_space(found_in: str, codes_in: str, spaces: Sequence[str], layers: object) -> str:
    """Return the name of the space in which paths of ``found_in`` edit codes of ``codes_in``, to which the codes may
    have to be carried.

    Paths of w edit the rows of w+. Codes are carried to later spaces, never back: that is an inversion.
    """
    if found_in == "w" and (codes_in == "w+" or (codes_in in ("z", "w") and layers is not None and "w+" in spaces)):
        return "w+"
    if spaces.index(codes_in) > spaces.index(found_in):
        raise ValueError(
            f"run must have paths that codes of space {codes_in} can take, got paths of space {found_in}; "
            f"invert into {found_in}"
        )
    return found_in


def fit_to_space(paths: Paths, found_in: str, space: LatentSpace) -> Paths:
    """Apply paths of w to all rows where the codes are of w+; return other paths as they are."""
    if found_in == space.name:
        return paths
    rows = list(range(space.shape[0]))
    if not isinstance(paths, LocalPaths):
        return LayerwisePaths(paths, rows)
    again = type(paths)(**paths.config | {"layers": rows})
    again.load_state_dict(paths.state_dict())
    return again.requires_grad_(False).eval()


class Editor:
    """The edits of one picture.

    Arguments:
        picture: The image.
        paths: The run's paths.
        found_in: Name of the space that they were found in.
        edits: The edits, in the order in which they were asked for.
        layers: Rows of w+ that edits change, see :func:`latent_lab.paths.layerwise.layer_rows`; None for all.
        correct: Gives edited codes the details that the inversion lost: takes the space, the codes, the photograph and
            the edited codes; returns the name of a space and the codes of that space from which the image is made. None
            for no correction.
        batch_size: Images decoded at once.
    """

    def __init__(
        self,
        picture: Picture,
        paths: Paths,
        found_in: str,
        edits: Sequence[Edit],
        layers: object = None,
        correct: Callable[[LatentSpace, Codes, Tensor, Codes], tuple[str, Codes]] | None = None,
        batch_size: int = 8,
    ) -> None:
        space = picture.space
        name = editing_space(found_in, space.name, space.generator.spaces, layers)
        self.space = (
            space if name == space.name else LatentSpace(space.generator, name, space.sampling).to(space.device)
        )
        self.rows = (
            torch.tensor(layer_rows(self.space, layers, "layers"), device=space.device) if layers is not None else None
        )
        self.paths, self.edits, self.correct, self.batch_size = (
            fit_to_space(paths, found_in, self.space),
            list(edits),
            correct,
            batch_size,
        )
        self.target = picture.target
        self.plain = space.generator.convert(picture.codes, space.name, name)
        self.codes = self.paths.anchor(self.space, self.plain)  # with what the paths need, which no image does

    @torch.no_grad()
    def apply(self, order: Sequence[int], shares: Sequence[float] = (1.0,)) -> Tensor:
        r"""Return latents :math:`(M, \dots)` after the edits of these numbers, one after the other, each by M shares of
        its amount."""
        start = self.codes.repeat(len(shares))
        latents, scale = start.latents, torch.tensor(shares, dtype=torch.float32, device=start.latents.device)
        for number in order:
            edit = self.edits[number]
            k = torch.full((len(scale),), edit.path, device=latents.device)
            moved = self.paths.shift(latents, k, scale * edit.amount, start.given)
            latents = (
                moved if self.rows is None else latents.to(moved.dtype).index_copy(1, self.rows, moved[:, self.rows])
            )
        return latents

    @torch.no_grad()
    def final(self, latents: Tensor) -> tuple[LatentSpace, Codes]:
        r"""Return the space and the codes that make the images of edited latents :math:`(M, \dots)`, with the
        correction included."""
        start = self.plain.repeat(len(latents))
        codes = start.moved(latents)
        if self.correct is None:
            return self.space, codes
        name, codes = self.correct(self.space, start, self.target.expand(len(latents), -1, -1, -1), codes)
        return (
            self.space if name == self.space.name else LatentSpace(self.space.generator, name, self.space.sampling)
        ), codes

    @torch.no_grad()
    def images(self, latents: Tensor) -> Tensor:
        """Return images of edited latents, with shape :math:`(M, C, H, W)`, on the CPU."""
        parts = [self.final(part) for part in latents.split(self.batch_size)]
        return torch.cat([view_in_batches(*part, None, None, self.batch_size).images.cpu() for part in parts])

    def orders(self) -> list[tuple[int, ...]]:
        """Return the order that was asked for, and others: all of up to three edits, the reverse of more."""
        asked = tuple(range(len(self.edits)))
        return list(itertools.permutations(asked)) if len(asked) <= ALL_ORDERS else [asked, asked[::-1]]

    def prove_order(self) -> dict[str, object]:
        r"""Measure how far other orders end from the one that was asked for, as shares of the edit's own length.

        .. math:: \|x_\pi - x\| / \|x - x_0\|

        in latents, and in images with the root mean square over pixels.
        """
        orders = self.orders()
        latents = torch.cat([self.codes.latents.float(), *[self.apply(order) for order in orders]])
        images = self.images(latents)
        found: dict[str, object] = {"orders": [[self.edits[i].name for i in order] for order in orders]}
        for name, values in (("latents", latents), ("images", images)):
            start, asked, *others = values.double().flatten(1).cpu()
            length = torch.linalg.vector_norm(asked - start).clamp_min(1e-30)
            found[name] = [0.0, *[(torch.linalg.vector_norm(other - asked) / length).item() for other in others]]
        return found
