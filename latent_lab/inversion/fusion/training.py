"""The training of StyleFusion's networks by masks, on the generator's own samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.fusion.net import FusionNet, layout_of
from latent_lab.inversion.fusion.objective import FusionObjective, region_error
from latent_lab.inversion.perceptual import FeatureDistance
from latent_lab.ops.psnr import psnr
from latent_lab.ops.region import box_mask, file_mask
from latent_lab.ops.streams import EVALUATION, stream
from latent_lab.training.seeded import SeededTraining


class FusionTraining(SeededTraining):
    """Trains the network of one division into two regions.

    Arguments:
        space: Space s of the generator; its truncation is that of the samples.
        network: The network to train.
        region: The first region: a predictor of masks :math:`(N, 1, H, W)` in [0, 1] that is differentiable, a box
            [top, left, bottom, right] in shares of the image, or a picture's file.
        objective: Weights of the loss.
        seed: Seed of the samples.
        distance: A network whose maps are compared; None for pixels alone.
        batch_size: Fused images a step and rank; each has three samples.
        lr: Learning rate.
        lr_decay: Share of the run, at its end, in which it falls linearly to 0.
        training: Other options of :class:`SeededTraining`.
    """

    kept, options, remedy = ("network.",), "fusion", "a smaller fusion.lr"

    def __init__(
        self,
        space: LatentSpace,
        network: FusionNet,
        region: nn.Module | Sequence[float] | str,
        objective: FusionObjective,
        seed: int,
        distance: FeatureDistance | None = None,
        batch_size: int = 4,
        lr: float = 1e-4,
        lr_decay: float = 0.5,
        **training,
    ) -> None:
        super().__init__(seed, batch_size=batch_size, lr_decay=lr_decay, **training)
        if space.name != "s":
            raise ValueError(f"space must be s, whose style vectors are fused, got {space.name!r}")
        size = space.generator.resolution
        self.predictor = region.eval().requires_grad_(False) if isinstance(region, nn.Module) else None
        fixed = None
        if self.predictor is None:
            fixed = file_mask(region, size, size) if isinstance(region, str) else box_mask(region, size, size)
        self.register_buffer("fixed", fixed, persistent=False)
        self.space, self.network, self.objective, self.distance = space, network, objective, distance
        self.lr = lr
        # one that is too small is refused before the run
        network.tags(layout_of(space.generator, network.width), 1, colours=False)

    def mask(self, images: Tensor) -> Tensor:
        """Return the first region of images, with shape :math:`(N, 1, H, W)` in [0, 1]."""
        if self.predictor is not None:
            return self.predictor(images.float())
        return self.fixed.expand(len(images), 1, -1, -1)

    def train(self, mode: bool = True) -> FusionTraining:
        """Set the training mode. The predictor of the region and the distance stay in eval mode."""
        super().train(mode)
        for frozen in (self.predictor, self.distance):
            if frozen is not None:
                frozen.eval()
        return self

    def optimisers_of_run(self) -> list[torch.optim.Optimizer]:
        return [self.groups_optimiser([{"params": list(self.network.parameters()), "lr": self.lr}])]

    def draw_samples(self, num: int, rng: torch.Generator) -> tuple[tuple[Tensor, Tensor, Tensor], dict[str, Tensor]]:
        """Draw the styles of three samples for each fused image. Return them with whatever else fixes the images."""
        a, b, c = (self.space.sample(num, rng) for _ in range(3))
        return (a.latents, b.latents, c.latents), {
            name: value for name, value in c.given.items() if name.startswith("noise")
        }

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        styles, given = self.draw_samples(self.batch_size, self.rng(self.step))
        places = layout_of(self.space.generator, self.network.width)
        maps = self.distance.maps if self.distance is not None else None
        terms = self.objective.terms(self.network, self.space.generator, places, styles, given, self.mask, maps)
        self.require_finite({"loss": terms["loss"]})
        self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()}, prog_bar=True)
        return terms["loss"]

    @torch.no_grad()
    def judge(self, num: int) -> tuple[dict[str, float], Tensor]:
        """Score samples that no step has seen. Return the scores, and images :math:`(n, C, H, W)` of at most 8 samples:
        a, b, c, fused.

        ``first_kept`` and ``second_kept``: PSNR in dB of a region when the other's source is replaced, where there is
        any. ``mask_agreement``: intersection over union of the fused first region and the common image's.
        ``first_taken``: share of the squared difference between the two aligned sources within the first region that
        the fused image has crossed from b to a.
        """
        scores: dict[str, list[float]] = {
            name: [] for name in ("first_kept", "second_kept", "mask_agreement", "first_taken")
        }
        shown: list[Tensor] = []
        places = layout_of(self.space.generator, self.network.width)
        for n in range(num):
            rng = stream(self.seed, 0, n, EVALUATION)
            (a, b, c), given = self.draw_samples(1, rng)
            (other, _, _), _ = self.draw_samples(1, rng)

            def image(latents: Tensor, given=given) -> Tensor:
                return self.space.decode(Codes(latents, given)).float().clamp(-1, 1)

            fused, pose = image(self.network(a, b, c, places)), image(c)
            inside, outside = (self.mask(pose) >= 0.5).float(), (self.mask(pose) < 0.5).float()
            found = self.mask(fused) >= 0.5
            union = (found | (inside > 0)).sum().clamp_min(1)
            mine, theirs = image(self.network.align(a, c, places)), image(self.network.align(b, c, places))
            distances = region_error(fused, mine, inside), region_error(fused, theirs, inside)
            scores["first_kept"].append(psnr(fused, image(self.network(a, other, c, places)), inside).item())
            scores["second_kept"].append(psnr(fused, image(self.network(other, b, c, places)), outside).item())
            scores["mask_agreement"].append(((found & (inside > 0)).sum() / union).item())
            scores["first_taken"].append((distances[1] / sum(distances).clamp_min(1e-12)).item())
            if n < 8:
                shown += [image(a), image(b), pose, fused]
        return {name: torch.tensor(values).nanmean().item() for name, values in scores.items()}, torch.cat(shown)
