"""Image2StyleGAN: the latents of an image by gradient descent, and the parts that all descending inverters share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.base import Inverted, Inverter, Track, require_number, untracked
from latent_lab.inversion.optimisation.descent import Descent
from latent_lab.inversion.parts import Curve
from latent_lab.inversion.perceptual import FeatureDistance
from latent_lab.ops.psnr import psnr


class Comparison(nn.Module):
    r"""The distance of made images from their targets, :math:`\lambda_\text{pixels} \frac{1}{N} \|x - y\|^2 +
    \lambda_\text{perceptual} D(x, y)`.

    Arguments:
        features: The network of D (:class:`FeatureDistance`); None: pixels alone.
        pixels, perceptual: The weights; without a network ``pixels`` must be positive.
        normalised: Whether D is LPIPS' distance.
    """

    def __init__(self, features: nn.Module | None, pixels: float, perceptual: float, normalised: bool) -> None:
        super().__init__()
        for name, value in (("pixels", pixels), ("perceptual", perceptual)):
            require_number(f"inverter.{name}", value)
        if pixels == 0 and (features is None or perceptual == 0):
            raise ValueError(
                "inverter.pixels must be positive where inverter.features (dataset.features) is null or "
                f"inverter.perceptual 0, got {pixels}"
            )
        self.distance = (
            FeatureDistance(features, normalised=normalised) if features is not None and perceptual else None
        )
        self.pixels, self.perceptual = pixels, perceptual

    @torch.no_grad()
    def targets(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return images with what the network sees in them, so that it is read once."""
        return images, self.distance.maps(images) if self.distance else {}

    def terms(self, made: Tensor, targets: tuple[Tensor, Mapping[str, Tensor]]) -> tuple[Tensor, Tensor]:
        """Return the mean squared error and D, each with shape :math:`(N,)`; a term without a weight is 0."""
        nothing = made.new_zeros(len(made))
        error = (made - targets[0]).square().mean((1, 2, 3)) if self.pixels else nothing
        return error, self.distance(made, targets[1]) if self.distance else nothing

    def forward(self, made: Tensor, targets: tuple[Tensor, Mapping[str, Tensor]]) -> Tensor:
        """Return the losses of made images, with shape :math:`(N,)`."""
        error, distance = self.terms(made, targets)
        return self.pixels * error + self.perceptual * distance


@torch.no_grad()
def moments(space: LatentSpace, num: int = 10000, seed: int = 123) -> tuple[Tensor, Tensor]:
    """Return the mean and standard deviation of each coordinate of the latents of ``num`` samples, as the generator
    sees them; the same for all images."""
    rng, total, squares = torch.Generator().manual_seed(seed), 0.0, 0.0
    for first in range(0, num, 1000):
        latents = space.visible(space.sample(min(1000, num - first), rng).latents).double()
        total, squares = total + latents.sum(0), squares + latents.square().sum(0)
    mean = total / num
    deviation = (squares / num - mean.square()).clamp_min(0).sqrt()
    return space.visible(mean.float()), deviation.float()


def draw_codes(space: LatentSpace, num: int, rng: torch.Generator) -> Codes:
    """Draw samples without the z that they were mapped from, which is no longer theirs once they have moved."""
    return space.sample(num, rng).without("z")


class Image2StyleGAN(Inverter):
    r"""Adam on the latents, from their mean, with the best latents of each image kept.

    .. math:: \min_w \frac{\lambda_\text{pixels}}{N} \|G(w) - x\|^2 + \lambda_\text{perceptual} D(G(w), x) +
        \lambda_\text{prior} \overline{((w - \mu) / \sigma)^2}

    References:
        | Image2StyleGAN: How to Embed Images Into the StyleGAN Latent Space? (Abdal et al., 2019), Eq. 1 and 2, Section
          5
        | https://arxiv.org/abs/1904.03189

    Arguments:
        features: The network of D; None: pixels alone.
        steps: Steps of Adam.
        lr: Adam's learning rate.
        pixels, perceptual: Weights of the two terms.
        prior: Weight of the mean square of the standardised latents, which keeps them where samples are; in z that of
            their length.
        candidates: Samples of each image's own, of which the nearest is where it starts; 0: the mean of the latents;
            None: 16 in z, where a mean is no image in particular, else 0.
    """

    def __init__(
        self,
        features: nn.Module | None = None,
        steps: int = 1000,
        lr: float = 0.01,
        pixels: float = 1.0,
        perceptual: float = 1.0,
        prior: float = 0.0,
        candidates: int | None = None,
    ) -> None:
        require_number("inverter.steps", steps, 1, whole=True)
        require_number("inverter.lr", lr, above=True)
        require_number("inverter.prior", prior)
        if candidates is not None:
            require_number("inverter.candidates", candidates, whole=True)
        self.comparison = Comparison(features, pixels, perceptual, normalised=False)
        self.descent = Descent(steps + 1, lr)  # the start is looked at too
        self.prior, self.candidates = prior, candidates

    @torch.no_grad()
    def start(self, space: LatentSpace, images: Tensor, mean: Tensor, rngs: Sequence[torch.Generator]) -> Codes:
        """Return the codes where the search starts: the mean, or for each image the nearest of its own samples."""
        candidates = (16 if space.name == "z" else 0) if self.candidates is None else self.candidates
        codes = [draw_codes(space, max(1, candidates), rng) for rng in rngs]
        if not candidates:
            together = Codes.cat(codes)
            return together.moved(mean.expand(len(images), *space.shape))
        nearest = []
        for one, image in zip(codes, images):
            near = self.comparison.targets(image[None])
            nearest.append(one.select(self.comparison(space.decode(one), near).argmin()[None]))
        return Codes.cat(nearest)

    def invert(
        self, space: LatentSpace, images: Tensor, rngs: Sequence[torch.Generator], track: Track = untracked
    ) -> Inverted:
        mean, deviation = moments(space)
        codes = self.start(space, images, mean, rngs)
        targets, seen = self.comparison.targets(images), Curve(len(images))

        def losses(values: list[Tensor]) -> Tensor:
            made = space.decode(codes.moved(values[0]))
            seen.append(psnr(made, images))
            loss = self.comparison(made, targets)
            if self.prior:
                loss = loss + self.prior * ((values[0] - mean) / deviation.clamp_min(1e-6)).square().flatten(1).mean(1)
            return loss

        (latents,), curve = self.descent.minimise([codes.latents], losses, "latents", track, {"psnr": seen})
        return Inverted(codes.moved(latents), curves={"loss": curve.cpu(), "psnr": seen.stack().cpu()})
