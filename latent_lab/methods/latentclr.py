"""LatentCLR: directions whose changes agree over latents and differ from each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, require_amounts
from latent_lab.methods.path_training import TrainedPaths, features_of
from latent_lab.paths.affine import AffinePaths
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import layer_rows, restrict_to_rows
from latent_lab.paths.linear import LinearPaths


class LatentCLR(TrainedPaths):
    r"""Unit directions, contrasted by the changes :math:`d_i^k = f(z_i + \varepsilon_i^k a_k) - f(z_i)` of
    features.

    .. math:: L = -\mathbb{E}_{i,k} \log \frac{\mathrm{mean}_{j \ne i} \exp(|\cos(d_i^k, d_j^k)| / \tau)}
        {\mathrm{mean}_{j,\, l \ne k} \exp(|\cos(d_i^k, d_j^l)| / \tau)}

    The cosine is taken without its sign, as in the published code: amounts of both signs take part.

    References:
        | LatentCLR: A Contrastive Learning Approach for Unsupervised Discovery of Interpretable Directions (Yuksel et
          al., 2021), Eq. 4
        | https://arxiv.org/abs/2104.00820

    Arguments:
        num_paths: Number K of paths, at least 2.
        feature: The submodule of the generator whose outputs are the features f; None for the images.
        amounts: Smallest and largest magnitude of an amount, in units of latent length.
        temperature: :math:`\tau`, above 0.
        batch_size: Latents a step, at least 2; each is edited along every path.
        kind: ``straight`` for the same direction everywhere; ``field`` for one that depends on the latent, see
            :class:`latent_lab.paths.affine.AffinePaths`: the nonlinear model of the published code.
        lr, training: See :class:`TrainedPaths`.
    """

    def __init__(
        self,
        num_paths: int,
        feature: str | None,
        amounts: Sequence[float],
        temperature: float,
        batch_size: int,
        lr: float,
        kind: str = "straight",
        **training,
    ) -> None:
        super().__init__(batch_size, lr, **training)
        require_amounts(amounts)
        if num_paths < 2 or batch_size < 2 or temperature <= 0:
            raise ValueError(
                f"method.num_paths and batch_size must be at least 2 and temperature above 0, got {num_paths}, "
                f"{batch_size} and {temperature}"
            )
        if kind not in ("straight", "field"):
            raise ValueError(f"method.kind must be one of ('straight', 'field'), got {kind!r}")
        self.num_paths, self.kind, self.feature = num_paths, kind, feature
        self.amounts, self.temperature = tuple(amounts), temperature

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Train the directions."""
        size, rng = space.shape[-1], context.rng
        paths = restrict_to_rows(
            LinearPaths(size, self.num_paths, "projective", rng=rng)
            if self.kind == "straight"
            else AffinePaths(size, self.num_paths, rng=rng),
            layer_rows(space, None),
        )

        def loss(paths: Paths, codes: Codes, rng: torch.Generator) -> Mapping[str, Tensor]:
            return contrast(self.measure_changes(space, paths, codes, rng), self.temperature)

        return self.train(space, paths, loss, context)

    def measure_changes(self, space: LatentSpace, paths: Paths, codes: Codes, rng: torch.Generator) -> Tensor:
        """Return the changes of the features along every path, :math:`(N, K, F)`."""
        num = len(codes)
        with torch.no_grad():
            before = features_of(space, codes, self.feature)
        every = codes.repeat(self.num_paths)
        k = torch.arange(self.num_paths, device=every.latents.device).repeat(num)
        smallest, largest = self.amounts
        eps = (smallest + (largest - smallest) * torch.rand(len(k), generator=rng)) * (
            2.0 * torch.randint(2, k.shape, generator=rng) - 1
        )
        after = features_of(
            space, every.moved(paths.shift(every.latents, k, eps.to(k.device), every.given)), self.feature
        )
        return after.unflatten(0, (num, self.num_paths)) - before[:, None]


def contrast(changes: Tensor, temperature: float) -> dict[str, Tensor]:
    """Return the loss of changes :math:`(N, K, F)`, and the share of them that are most like those of their own
    path."""
    num, paths = changes.shape[:2]
    directions = F.normalize(changes.flatten(0, 1), dim=1)
    similarity = ((directions @ directions.mT).abs() / temperature).exp()  # row i K + k
    k = torch.arange(paths, device=changes.device).repeat(num)
    same = k[:, None] == k
    others = (similarity * ~same).sum(1) / (num * (paths - 1))
    own = ((similarity * same).sum(1) - similarity.diagonal()) / (num - 1)
    return {"loss": (others.log() - own.log()).mean(), "accuracy": (own > others).float().mean()}
