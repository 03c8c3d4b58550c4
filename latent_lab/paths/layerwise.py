"""Edits of some layers of w+: the meaning of a layer range, for every method."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latent_lab.gans.space import LatentSpace
from latent_lab.paths.base import Paths


def layer_rows(
    space: LatentSpace, layers: int | str | Sequence[int | str] | None, argument: str = "method.layers"
) -> list[int] | None:
    """Return the rows of w+ that a layer range selects; None where latents are vectors, which have no layers.

    Arguments:
        space: The latent space.
        layers: None for all, or numbers from 0 and ranges that include their ends: ``4``, ``"4-7"``, ``"0-3,6"``, ``[0,
            1, "4-7"]``.
        argument: Name for error messages.

    Raises:
        ValueError: if there are no such layers.
    """
    if len(space.shape) == 1:
        if layers is not None:
            raise ValueError(
                f"{argument} needs gan.space=w+, whose layers have latents of their own, "
                f"got {layers!r} in space {space.name}"
            )
        return None
    num = space.shape[0]
    if layers is None:
        return list(range(num))
    rows: list[int] = []
    for part in ",".join(str(item) for item in ([layers] if isinstance(layers, int | str) else layers)).split(","):
        first, _, last = (word.strip() for word in part.partition("-"))
        if not first.isdecimal() or (last and not last.isdecimal()) or not int(first) <= int(last or first) < num:
            raise ValueError(
                f"{argument} must be numbers and ranges such as 4-7 from 0 to {num - 1} of this generator, got {part!r}"
            )
        rows += range(int(first), int(last or first) + 1)
    return sorted(set(rows))


class LayerwisePaths(Paths):
    r"""Paths of one vector in w+: each selected row is shifted by the base paths, the others stay.

    .. math:: w'_l = \phi_k^\varepsilon(w_l) \;\text{for}\; l \in \text{layers}, \qquad w'_l = w_l \;\text{otherwise}

    Where all rows are equal and all are selected this is the edit of w; it commutes where the base paths do.

    References:
        | GANSpace: Discovering Interpretable GAN Controls (Härkönen et al., 2020), Section 2.3
        | https://arxiv.org/abs/2004.02546

    Arguments:
        base: Paths of vectors :math:`(N, D)`.
        layers: Rows that are edited, see :func:`layer_rows`.

    Example:
        >>> from latent_lab.paths.linear import LinearPaths
        >>> paths = LayerwisePaths(LinearPaths(dim=4, num_paths=2), layers=[1, 2])
        >>> latents = torch.zeros(1, 3, 4)
        >>> (paths.shift(latents, torch.tensor([0]), torch.tensor([1.5])) != latents).any(-1)
        tensor([[False,  True,  True]])
    """

    def __init__(self, base: Paths, layers: Sequence[int]) -> None:
        super().__init__(base.dim, base.num_paths)
        self.base = base
        self.layers = list(layers)
        if any(type(layer) is not int or not 0 <= layer < 2**16 for layer in self.layers):
            raise ValueError(f"layers must be the numbers of rows of w+, got {str(self.layers)[:60]}")

    @property
    def straight(self) -> bool:
        return self.base.straight

    def _spread(self, latents: Tensor, k: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each selected row as a latent of its own."""
        num = len(self.layers)
        return latents[:, self.layers].flatten(0, 1), k.repeat_interleave(num), eps.repeat_interleave(num)

    def _gather(self, latents: Tensor, moved: Tensor) -> Tensor:
        index = torch.tensor(self.layers, device=latents.device)
        return latents.to(moved.dtype).index_copy(1, index, moved.unflatten(0, (-1, len(self.layers))))

    def move(
        self, latents: Tensor, k: Tensor, eps: Tensor, given: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what :meth:`shift` returns, and the base paths' penalties over all edited rows."""
        moved, penalties = self.base.move(*self._spread(latents, k, eps))
        return self._gather(latents, moved), penalties

    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        return self._gather(latents, self.base.shift(*self._spread(latents, k, eps)))


def restrict_to_rows(paths: Paths, rows: Sequence[int] | None) -> Paths:
    """Return paths that edit the rows that :func:`layer_rows` selects; for None the paths as they are."""
    return paths if rows is None else LayerwisePaths(paths, rows)
