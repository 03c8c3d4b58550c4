"""What was discovered, by whatever means: K families of edits of a latent."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.ops.recorded import Recorded


class Paths(Recorded, nn.Module, ABC):
    """K paths through a latent space. Path arithmetic runs in the precision of the parameters, never in autocast.

    ``config`` holds the arguments that rebuild the object; it is stored beside its tensors.

    Arguments:
        dim: Size D of a latent.
        num_paths: Number K of paths.
    """

    unrecorded = ("rng",)

    def __init__(self, dim: int, num_paths: int) -> None:
        super().__init__()
        # true counts as 1, and files say it
        if type(dim) is not int or type(num_paths) is not int or dim < 1 or num_paths < 1:
            raise ValueError(f"dim and num_paths must be at least 1, got {dim} and {num_paths}")
        self.dim, self.num_paths = dim, num_paths

    def shift(self, latents: Tensor, k: Tensor, eps: Tensor, given: dict[str, Tensor] | None = None) -> Tensor:
        """Latents :math:`(N, D)` after edits of the signed amounts ``eps`` :math:`(N,)` along the paths ``k``
        :math:`(N,)`.

        An amount of 0 returns the latents. Half-precision latents come back in float32.
        """
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.to(torch.promote_types(latents.dtype, torch.float32))
            return self._shift(latents, k, eps) if len(latents) else latents

    def move(
        self, latents: Tensor, k: Tensor, eps: Tensor, given: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """:meth:`shift`, and the penalties that the same pass gives (means over the batch), by name."""
        return self.shift(latents, k, eps, given), {}

    def fan(self, latents: Tensor, eps: float, given: dict[str, Tensor] | None = None) -> Tensor:
        """Latents after an edit of amount ``eps`` along every path, with shape :math:`(N, K, D)`."""
        num = len(latents)
        k = torch.arange(self.num_paths, device=latents.device).repeat(num)
        amounts = torch.full(
            (len(k),), eps, dtype=torch.promote_types(latents.dtype, torch.float32), device=latents.device
        )
        many = Codes(latents, given or {}).repeat(self.num_paths)
        return self.shift(many.latents, k, amounts, many.given).unflatten(0, (num, self.num_paths))

    def coordinates(self, latents: Tensor) -> Tensor | None:
        """Coordinates :math:`(N, K)` of which path k changes the k-th alone; None where paths are not the axes of
        any."""
        return None

    @property
    def straight(self) -> bool:
        """Whether an edit adds the same vector to every latent, times its amount."""
        return False

    def anchor(self, space: LatentSpace, codes: Codes) -> Codes:
        """The codes of where edits start, with all that the paths need of it in ``given``; global paths need
        nothing."""
        return codes

    @abstractmethod
    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor: ...
