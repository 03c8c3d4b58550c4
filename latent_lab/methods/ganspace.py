"""GANSpace: principal components of early activations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method
from latent_lab.ops.streams import TRAINING, stream
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import layer_rows, restrict_to_rows
from latent_lab.paths.linear import LinearPaths, fix_signs

LARGEST = 8192  # numbers of an activation: its covariance is half a gigabyte


class GANSpace(Method):
    r"""Principal components of early activations, carried back to the latent by least squares.

    With activations y of latents z, :math:`V \Sigma^2 V^\top = \operatorname{cov}(y)` and components
    :math:`x = V^\top (y - \bar y)`,

    .. math:: U = \arg\min_U \sum_n \|U x_n - (z_n - \bar z)\|^2 = \operatorname{cov}(z, y)\, V \Sigma^{-2}, \qquad n_k
        = \sigma_k u_k,

    so that an amount of 1 is one standard deviation of the component. In w the activations are the latents themselves,
    and :math:`u_k = v_k`. The covariances are summed batch by batch in float64: what an incremental estimator
    approximates, exactly, in memory that does not grow with the samples.

    References:
        | GANSpace: Discovering Interpretable GAN Controls (Härkönen et al., 2020), Section 2.1 and 2.2, Eq. 3
        | https://arxiv.org/abs/2004.02546

    Arguments:
        num_paths: Number K of paths, at most the latent's size.
        samples: Samples of the prior.
        activations: A submodule of the generator whose outputs are y, e.g. ``blocks.0``; None: the latent itself in w
            and w+ (there the mean of its selected rows), and in z what the first layer makes of it, as for the paper's
            BigGAN. Of a Gaussian z these components are SeFa's directions; a later submodule tells more.
        layers: Layer range of w+, see :func:`latent_lab.paths.layerwise.layer_rows`.
        batch_size: Samples drawn at once.
    """

    def __init__(
        self,
        num_paths: int,
        samples: int,
        activations: str | None = None,
        layers: int | str | Sequence[int | str] | None = None,
        batch_size: int = 1000,
    ) -> None:
        if samples < 2 or batch_size < 1:
            raise ValueError(
                f"method.samples must be at least 2 and batch_size at least 1, got {samples} and {batch_size}"
            )
        self.num_paths, self.samples, self.activations, self.layers, self.batch_size = (
            num_paths,
            samples,
            activations,
            layers,
            batch_size,
        )

    def draw_batches(
        self, space: LatentSpace, rows: Sequence[int] | None, seed: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield latents :math:`(B, D)` and their activations :math:`(B, F)`."""
        first = (
            torch.cat(space.generator.first_weights("z")) if space.name == "z" and self.activations is None else None
        )
        for start in range(0, self.samples, self.batch_size):
            codes = space.sample(min(self.batch_size, self.samples - start), stream(seed, 0, start, TRAINING))
            latents = codes.latents if rows is None else codes.latents[:, rows].mean(1)
            if self.activations is not None:
                yield latents, space.activations(codes, [self.activations])[self.activations].flatten(1)
            else:
                yield latents, latents if first is None else space.visible(latents) @ first.mT

    @torch.no_grad()
    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Find the components, and the directions of the latent that move along them."""
        rows = layer_rows(space, self.layers)
        centre, sums, squares = None, None, None
        for latents, activations in self.draw_batches(space, rows, context.seed):
            both = torch.cat([latents, activations], 1).double() if latents is not activations else latents.double()
            if centre is None:
                if activations.shape[1] > LARGEST:
                    raise ValueError(
                        f"method.activations must name an output of at most {LARGEST} numbers, "
                        f"got {activations.shape[1]}"
                    )
                centre = both.mean(0)  # near the mean, so that no digits are lost
                sums, squares = torch.zeros_like(centre), both.new_zeros(activations.shape[1], len(centre))
            both -= centre
            sums += both.sum(0)
            squares.addmm_(both[:, -activations.shape[1] :].mT, both)
        mean = sums / self.samples
        squares = squares / self.samples - mean[-len(squares) :, None] * mean  # cov(y, [z, y]), in w cov(y, y)
        dim, size = space.shape[-1], len(squares)
        variances, axes = torch.linalg.eigh(squares[:, -size:])
        reached = int((variances > 1e-10 * variances[-1]).sum())
        if not 0 < self.num_paths <= min(dim, reached):
            raise ValueError(
                f"method.num_paths must be from 1 to the {min(dim, reached)} directions in which {self.samples} "
                f"samples vary, got {self.num_paths}"
            )
        axes, deviations = axes.flip(1)[:, : self.num_paths], variances.flip(0)[: self.num_paths].sqrt()
        return restrict_to_rows(LinearPaths.along(fix_signs(squares[:, :dim].mT @ axes / deviations)), rows)
