"""Paths along the axes of curvilinear coordinates: Deep Curvilinear Editing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from latent_lab.paths.base import Paths
from latent_lab.paths.flows import CouplingFlow, FFJORDFlow


class CurvilinearPaths(Paths):
    r"""Non-linear paths that commute.

    .. math:: z' = f^{-1}(f(z) + \varepsilon e_k)

    Edits commute because additions do: :math:`\phi_k \circ \phi_l = f^{-1} \circ \psi_k \circ \psi_l \circ f = \phi_l
    \circ \phi_k`.

    References:
        | Deep Curvilinear Editing: Commutative and Nonlinear Image Manipulation for Pretrained Deep Generative Model
          (Aoshima & Matsubara, 2023), Section 3
        | https://arxiv.org/abs/2211.14573

    Arguments:
        dim: Size D of a latent.
        num_paths: Number K of paths, at most D: path k is coordinate k.
        flow: ``coupling`` or ``ffjord``.
        options: Arguments of the flow, see :class:`CouplingFlow` and :class:`FFJORDFlow`.
        rng: Source of the initial values.

    Example:
        >>> paths, z = CurvilinearPaths(dim=4, num_paths=2), torch.ones(1, 4)
        >>> one, two, amount = torch.tensor([0]), torch.tensor([1]), torch.tensor([0.5])
        >>> order = paths.shift(paths.shift(z, one, amount), two, amount)
        >>> torch.allclose(order, paths.shift(paths.shift(z, two, amount), one, amount), atol=1e-5)
        True
    """

    flows = {"coupling": CouplingFlow, "ffjord": FFJORDFlow}

    def __init__(
        self, dim: int, num_paths: int, flow: str = "coupling", rng: torch.Generator | None = None, **options: Any
    ) -> None:
        super().__init__(dim, num_paths)
        if flow not in self.flows:
            raise ValueError(f"flow must be one of {tuple(self.flows)}, got {flow!r}")
        if num_paths > dim:
            raise ValueError(
                f"num_paths must be at most the latent's size {dim} for curvilinear paths, got {num_paths}: "
                "a path is a coordinate"
            )
        self.flow = self.flows[flow](dim, rng=rng, **options)

    def coordinates(self, latents: Tensor) -> Tensor:
        """Return the first K entries of :math:`f(z)`, with shape :math:`(N, K)`."""
        return self.flow()(latents)[:, : self.num_paths]

    def latents(self, coordinates: Tensor) -> Tensor:
        """Return the latents :math:`f^{-1}(v)` of coordinates v, both with shape :math:`(N, D)`."""
        return self.flow().inv(coordinates)

    def _stepped(self, coordinates: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        return coordinates + eps[:, None] * torch.nn.functional.one_hot(k, self.dim).to(coordinates)

    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        transform = self.flow()
        moved = transform.inv(self._stepped(transform(latents), k, eps))
        # an amount of 0 must not pay the flow's rounding, yet has a derivative
        return torch.where(eps[:, None] == 0, latents.detach() + (moved - moved.detach()), moved)

    def fan(self, latents: Tensor, eps: float, given: dict[str, Tensor] | None = None) -> Tensor:
        """Return latents after an edit of amount ``eps`` along every path, with shape :math:`(N, K, D)`; f is evaluated
        once for each latent."""
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.to(torch.promote_types(latents.dtype, torch.float32))
            transform = self.flow()
            steps = eps * torch.eye(self.num_paths, self.dim, dtype=latents.dtype, device=latents.device)
            return transform.inv((transform(latents)[:, None] + steps).flatten(0, 1)).unflatten(0, (-1, self.num_paths))

    def move(
        self, latents: Tensor, k: Tensor, eps: Tensor, given: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        r"""Return the moved latents and two penalties.

        ``log_det``: :math:`\mathbb{E}[(\log|\det \partial f / \partial z|)^2]` at the edited latent (the paper's
        regulariser). ``likelihood``: :math:`\mathbb{E}[\|f(z)\|^2 / 2 - \log|\det \partial f / \partial z|] / D`, which
        asks f to carry the prior to N(0, I), so that one unit of an amount is one standard deviation of its coordinate.
        """
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.to(torch.promote_types(latents.dtype, torch.float32))
            transform = self.flow()
            coordinates, log_det = transform.call_and_ladj(latents)
            moved, inverse_log_det = transform.inv.call_and_ladj(self._stepped(coordinates, k, eps))
        likelihood = (coordinates.square().sum(-1) / 2 - log_det).mean() / self.dim
        return moved, {"log_det": inverse_log_det.square().mean(), "likelihood": likelihood}
