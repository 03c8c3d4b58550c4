"""Shared parts of ReSeFa and LowRankGAN: the Jacobians of a region and of the rest, and the changes that directions
make there."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latent_lab.console import log
from latent_lab.edits.lengths import find_amounts
from latent_lab.edits.moves import Moves
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, Method
from latent_lab.ops.region import region_masks, region_metrics
from latent_lab.ops.streams import TRAINING, VALIDATION, stream
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import layer_rows, restrict_to_rows
from latent_lab.paths.linear import LinearPaths, fix_signs


@torch.no_grad()
def measure_region_changes(space: LatentSpace, paths: Paths, codes: Codes, masks: Tensor, length: float) -> Tensor:
    r"""Return the mean squared change of a pixel within the region and outside it after edits of one realised length,
    :math:`(K, 2)`.

    Their ratio is the objective :math:`n^\top J_f^\top J_f n / n^\top J_b^\top J_b n` of the paper, measured on whole
    edits; means over codes and both signs.
    """
    before, weights = space.decode(codes).float(), masks.sum((2, 3)).mean(0) * space.generator.channels
    changes = torch.zeros(paths.num_paths, 2, dtype=torch.float64)
    for k in range(paths.num_paths):
        chosen = torch.full((len(codes),), k, device=space.device)
        for sign in (-1.0, 1.0):
            wanted = torch.full_like(before[:, 0, 0, 0], length)
            eps = find_amounts(space, paths, Moves(codes, chosen, sign * torch.ones_like(wanted)), wanted)
            change = space.decode(codes.moved(paths.shift(codes.latents, chosen, eps, codes.given))).float() - before
            changes[k] += (
                (torch.einsum("nchw,nrhw->r", change.square(), masks) / weights / len(codes) / 2).double().cpu()
            )
    return changes


class Regional(Method):
    """Directions found from the metrics of a region and of the rest, which are means over samples.

    After the fit, the changes within both are printed for held-out samples.

    Arguments:
        num_paths: Number K of paths, at most.
        region: Box, mask's file or predictor, see :func:`latent_lab.ops.region.region_masks`; None for the upper half.
        samples: Latents that the metrics are means over; the papers take single images.
        layers: Layer range of w+, see :func:`latent_lab.paths.layerwise.layer_rows`. The Jacobian is that of these
            layers, which the edit moves; the published code differentiates by all and edits some.
        rank: Search only among about this many directions, those in which the image changes most; None: all D.
        chunk: Jacobian products made at once, which bounds the memory.
        held_out: Other latents, on which the change is measured.
        length: Realised length of the edits that are measured.
    """

    def __init__(
        self,
        num_paths: int,
        region: Sequence[float] | str | nn.Module | None,
        samples: int,
        layers: int | str | Sequence[int | str] | None = None,
        rank: int | None = None,
        chunk: int = 16,
        held_out: int = 16,
        length: float = 1.0,
    ) -> None:
        for name, value in {"num_paths": num_paths, "samples": samples, "chunk": chunk, "held_out": held_out}.items():
            if value < 1:
                raise ValueError(f"method.{name} must be at least 1, got {value}")
        if rank is not None and rank < num_paths:
            raise ValueError(f"method.rank must be at least num_paths={num_paths}, got {rank}")
        self.region = (0.0, 0.0, 0.5, 1.0) if region is None else region
        self.num_paths, self.samples, self.layers = num_paths, samples, layers
        self.rank, self.chunk, self.held_out, self.length = rank, chunk, held_out, length
        self.previews = not isinstance(region, nn.Module)  # a predictor reads the generator's own images

    @abstractmethod
    def find_directions(self, foreground: Tensor, background: Tensor) -> Tensor:
        r"""Return unit vectors as columns, best first, from the metrics :math:`J_f^\top J_f` and :math:`J_b^\top
        J_b`."""

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Find the directions, and print what they change."""
        if self.num_paths > space.shape[-1]:
            raise ValueError(
                f"method.num_paths must be at most the latent's size {space.shape[-1]}, got {self.num_paths}"
            )
        rows = layer_rows(space, self.layers)
        codes = space.sample(self.samples, stream(context.seed, 0, 0, TRAINING))
        masks = region_masks(self.region, space, codes)
        basis, metrics = region_metrics(space, codes, masks, rows, self.rank, context.rng, self.chunk)
        found = basis.mT @ self.find_directions(*metrics)[:, : self.num_paths]
        paths = restrict_to_rows(LinearPaths.along(fix_signs(found).float()), rows)
        self.report(space, paths, context.seed)
        return paths

    def report(self, space: LatentSpace, paths: Paths, seed: int) -> None:
        """Print the ratio of the change within the region to that outside it, beside that of random directions."""
        codes = paths.anchor(space, space.sample(self.held_out, stream(seed, 0, 0, VALIDATION)))
        masks = region_masks(self.region, space, codes)
        random = LinearPaths(paths.dim, min(paths.num_paths, 8), "projective", 10.0, stream(seed, 0, 1, VALIDATION)).to(
            space.device
        )
        random = restrict_to_rows(random, layer_rows(space, self.layers))
        own, other = (measure_region_changes(space, each, codes, masks, self.length) for each in (paths, random))
        ratios = ", ".join(f"{ratio:.3g}" for ratio in (own[:, 0] / own[:, 1])[:8].tolist())
        changes = other.mean(0)
        log.info(
            "change within the region over that outside it, mean square of a pixel, "
            f"{self.held_out} held-out latents, edits of length {self.length:g}: "
            f"paths {ratios}{', ...' if len(own) > 8 else ''}; "
            f"random directions {(changes[0] / changes[1]).item():.3g}"
        )
