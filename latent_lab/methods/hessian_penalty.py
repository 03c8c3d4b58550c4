"""The Hessian Penalty: directions that change the image independently of one another."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, require_vector_size
from latent_lab.methods.path_training import TrainedPaths, features_of
from latent_lab.paths.base import Paths
from latent_lab.paths.linear import LinearPaths


class HessianPenalty(TrainedPaths):
    r"""An orthogonal matrix A of directions in whose coefficients the Hessian of every feature f is nearly diagonal.

    .. math:: L = \mathbb{E}_{z, k, \varepsilon}\, \mathrm{mean}_f\, \mathrm{Var}_v \left[\frac{f(z' + h A v) - 2 f(z')
        + f(z' - h A v)}{h^2}\right], \qquad z' = z + \varepsilon A e_k

    Over vectors v of random signs the variance is :math:`2 \sum_{i \ne j} H_{ij}^2`: it is 0 where no direction changes
    what another one does.

    References:
        | The Hessian Penalty: A Weak Prior for Unsupervised Disentanglement (Peebles et al., 2020), Eq. 4-6 and Section
          5.3
        | https://arxiv.org/abs/2008.10599

    Arguments:
        num_paths: Number K of paths, at least 2 and at most the latent's size.
        feature: The submodule of the generator whose outputs are the features; None for the images.
        reach: Largest magnitude of the amounts :math:`\varepsilon`, which are uniform.
        samples: Sign vectors v that the variance is taken over, at least 2.
        step: Length h of a difference in each coefficient.
        batch_size: Latents a step; each costs 1 + 2 ``samples`` decodes.
        lr, training: See :class:`TrainedPaths`.
    """

    def __init__(
        self,
        num_paths: int,
        feature: str | None,
        reach: float,
        samples: int,
        step: float,
        batch_size: int,
        lr: float,
        **training,
    ) -> None:
        super().__init__(batch_size, lr, **training)
        if num_paths < 2 or samples < 2 or step <= 0 or reach < 0:
            raise ValueError(
                "method.num_paths and samples must be at least 2, step above 0 and reach not below, "
                f"got {num_paths}, {samples}, {step} and {reach}"
            )
        self.num_paths, self.feature, self.reach, self.samples, self.step = num_paths, feature, reach, samples, step

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Train an orthogonal matrix of directions."""
        paths = LinearPaths(require_vector_size(space), self.num_paths, "orthogonal", rng=context.rng)

        def loss(paths: LinearPaths, codes: Codes, rng: torch.Generator) -> Mapping[str, Tensor]:
            return {"loss": self.compute_penalty(space, paths.matrix(), codes, rng)}

        return self.train(space, paths, loss, context)

    def compute_penalty(self, space: LatentSpace, directions: Tensor, codes: Codes, rng: torch.Generator) -> Tensor:
        """Return the penalty of directions :math:`(D, K)` at moved codes."""
        num, device = len(codes), codes.latents.device
        k = torch.randint(directions.shape[1], (num,), generator=rng).to(device)
        eps = (self.reach * (2 * torch.rand(num, generator=rng) - 1)).to(codes.latents)
        start = codes.latents + eps[:, None] * directions.mT[k]
        signs = 2.0 * torch.randint(2, (self.samples, num, directions.shape[1]), generator=rng).to(codes.latents) - 1
        moves = self.step * (signs @ directions.mT)  # (samples, N, D)
        around = torch.cat([start[None], start + moves, start - moves]).flatten(0, 1)
        every = codes.select(torch.arange(num, device=device).repeat(1 + 2 * self.samples))
        middle, ahead, behind = features_of(space, every.moved(around), self.feature).split(
            [num, self.samples * num, self.samples * num]
        )
        curvature = (ahead + behind).unflatten(0, (self.samples, num)) - 2 * middle
        return (curvature / self.step**2).var(0).mean()
