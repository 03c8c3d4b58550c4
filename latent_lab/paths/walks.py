"""Walks that are trained towards a target: straight ones, ones of a class each, and ones that depend on the latent."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latent_lab.paths.base import Paths
from latent_lab.paths.flows import initialise
from latent_lab.paths.integrate import require_few


class WalkPaths(Paths):
    r"""Paths that leave every latent at a velocity, and may keep its norm.

    .. math:: z_{i+1} = \|z\| \, \frac{z_i + h\, v_k(z_i)}{\|z_i + h\, v_k(z_i)\|}, \qquad z_0 = z, \quad \sum h =
        \varepsilon

    ``linear``: :math:`v_k` is a vector, the same everywhere, and the walk one step. With ``classes`` there is one for
    each class y, read from ``given["label"]``; where no label is given the walk is the mean over classes. ``network``:
    :math:`v_k(z)` is a network with one hidden layer, and a walk takes equal steps of at most ``step``. Without
    ``keep_norm`` nothing is rescaled.

    One unit of amount is one unit of what the walk was trained to change; its length is learned.

    References:
        | GANalyze: Toward Visual Definitions of Cognitive Image Properties (Goetschalckx et al., 2019), Section 3; its
          code keeps the norm
        | https://arxiv.org/abs/1906.10112
        | On the "steerability" of generative adversarial networks (Jahanian et al., 2020), Section 3: linear and
          non-linear walks
        | https://arxiv.org/abs/1907.07171

    Arguments:
        dim: Size D of a latent.
        num_paths: Number K of paths.
        kind: ``linear`` or ``network``.
        keep_norm: True for walks that keep a latent's norm, as a latent of N(0, I) needs to stay plausible far out.
        classes: Classes with directions of their own, for a class-conditional generator; 0 for none.
        width: Width of a network's hidden layer.
        step: Longest step of a network's walk, in units of amount.
        init: Initial length of a unit step of a linear walk.
        rng: Source of the initial values.

    Example:
        >>> paths = WalkPaths(dim=4, num_paths=2, rng=torch.Generator().manual_seed(0))
        >>> latents = torch.tensor([[0.0, 3.0, 0.0, 4.0]])
        >>> round(paths.shift(latents, torch.tensor([1]), torch.tensor([2.5])).norm().item(), 4)
        5.0
    """

    kinds = ("linear", "network")
    unrecorded = ("init", "rng")

    def __init__(
        self,
        dim: int,
        num_paths: int,
        kind: str = "linear",
        keep_norm: bool = True,
        classes: int = 0,
        width: int = 64,
        step: float = 0.5,
        init: float = 0.1,
        rng: torch.Generator | None = None,
    ) -> None:
        super().__init__(dim, num_paths)
        if kind not in self.kinds:
            raise ValueError(f"kind must be one of {self.kinds}, got {kind!r}")
        if classes < 0 or width < 1 or step <= 0:
            raise ValueError(
                f"classes must be at least 0, width at least 1 and step above 0, got {classes}, {width} and {step}"
            )
        if kind == "network" and classes:
            raise ValueError(
                f"classes must be 0 for kind='network', got {classes}; kind='linear' has directions of a class"
            )
        self.kind, self.keep_norm, self.classes, self.step = kind, keep_norm, classes, step
        if kind == "linear":
            self.weight = nn.Parameter(init / dim**0.5 * torch.randn(max(classes, 1), num_paths, dim, generator=rng))
        else:
            self.networks = nn.ModuleList(
                nn.Sequential(nn.Linear(dim, width), nn.SiLU(), nn.Linear(width, dim)) for _ in range(num_paths)
            )
            initialise(self.networks, rng)

    @property
    def straight(self) -> bool:
        return self.kind == "linear" and not self.keep_norm and not self.classes

    def shift(self, latents: Tensor, k: Tensor, eps: Tensor, given: dict[str, Tensor] | None = None) -> Tensor:
        """Return latents after edits along the paths, see :meth:`Paths.shift`; a walk of a class reads
        ``given["label"]``."""
        if self.classes and given and "label" in given:
            k = k + self.num_paths * (1 + given["label"])
        return super().shift(latents, k, eps)

    def velocity(self, latents: Tensor, k: Tensor) -> Tensor:
        """Return the velocities :math:`v_k(z)`, with shape :math:`(N, D)`."""
        if self.kind == "linear":
            table = torch.cat([self.weight.mean(0, keepdim=True), self.weight]) if self.classes else self.weight
            return table.flatten(0, 1)[k]
        velocity = torch.zeros_like(latents)
        for i in k.unique().tolist():
            rows = (k == i).nonzero()[:, 0]
            velocity = velocity.index_copy(0, rows, self.networks[i](latents[rows]))
        return velocity

    def _shift(self, latents: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(latents, dim=1, keepdim=True)
        # 1e-4: an amount of exactly n steps must not take n + 1 because of its rounding
        counts = (eps.abs() / self.step - 1e-4).ceil().clamp_min(1) if self.kind == "network" else torch.ones_like(eps)
        require_few(counts, self.step)
        size = (eps / counts)[:, None]
        for done in range(int(counts.max())):
            h = torch.where((done < counts)[:, None], size, torch.zeros_like(size))
            moved = latents + h * self.velocity(latents, k)
            if self.keep_norm:
                scaled = moved * (norm / torch.linalg.vector_norm(moved, dim=1, keepdim=True).clamp_min(1e-12))
                # a step of 0 must not pay the norm's rounding, yet has a derivative
                moved = torch.where(h == 0, latents.detach() + (scaled - scaled.detach()), scaled)
            latents = moved
        return latents
