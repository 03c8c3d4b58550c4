"""The base of all paths: K families of edits of a latent, by whatever means they were discovered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.ops.recorded import Recorded

if TYPE_CHECKING:
    from latent_lab.attributes.base import Attributes


class Paths(Recorded, nn.Module, ABC):
    """K paths through a latent space. Path arithmetic runs in the precision of the parameters, never in autocast.

    ``config`` holds the arguments that rebuild the object; it is stored beside its tensors.

    Arguments:
        dim: Size D of a latent.
        num_paths: Number K of paths.
    """

    unrecorded: tuple[str, ...] = ("rng",)

    def __init__(self, dim: int, num_paths: int) -> None:
        super().__init__()
        # true counts as 1, and files say it
        if type(dim) is not int or type(num_paths) is not int or dim < 1 or num_paths < 1:
            raise ValueError(f"dim and num_paths must be at least 1, got {dim} and {num_paths}")
        self.dim, self.num_paths = dim, num_paths

    def shift(self, latents: Tensor, k: Tensor, eps: Tensor, given: dict[str, Tensor] | None = None) -> Tensor:
        """Return latents after edits along the paths, with shape :math:`(N, D)`; an amount of 0 changes nothing.

        Arguments:
            latents: Latents, with shape :math:`(N, D)`; those in half precision come back in float32.
            k: Number of the path of each edit, from 0 to K - 1, with shape :math:`(N,)`.
            eps: Signed amount of each edit, with shape :math:`(N,)`.
            given: The rest of the codes, which some paths read.
        """
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.to(torch.promote_types(latents.dtype, torch.float32))
            return self._shift(latents, k, eps) if len(latents) else latents

    def move(
        self, latents: Tensor, k: Tensor, eps: Tensor, given: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what :meth:`shift` returns, and the penalties of the same pass (means over the batch) by name."""
        return self.shift(latents, k, eps, given), {}

    def fan(self, latents: Tensor, eps: float, given: dict[str, Tensor] | None = None) -> Tensor:
        """Return latents after an edit of amount ``eps`` along every path, with shape :math:`(N, K, D)`."""
        num = len(latents)
        k = torch.arange(self.num_paths, device=latents.device).repeat(num)
        amounts = torch.full(
            (len(k),), eps, dtype=torch.promote_types(latents.dtype, torch.float32), device=latents.device
        )
        many = Codes(latents, given or {}).repeat(self.num_paths)
        return self.shift(many.latents, k, amounts, many.given).unflatten(0, (num, self.num_paths))

    def coordinates(self, latents: Tensor) -> Tensor | None:
        """Return coordinates :math:`(N, K)` of which path k changes the k-th alone; None where there are none."""
        return None

    @property
    def straight(self) -> bool:
        """True if an edit adds the same vector to every latent, times its amount."""
        return False

    def anchor(self, space: LatentSpace, codes: Codes) -> Codes:
        """Return the codes at which edits start, with all that the paths need of them in ``given``.

        Local paths keep their directions there; global paths need nothing.
        """
        return codes

    def bind(self, attributes: Attributes | None) -> None:
        """Take the predictor of the data set's attributes; paths that read none at an image have no use for it."""

    @abstractmethod
    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor: ...
