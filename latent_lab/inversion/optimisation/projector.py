"""StyleGAN2's projector: one style and the noise maps of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.base import Inverted, Inverter, Track, require_number, untracked
from latent_lab.inversion.keeper import Steps
from latent_lab.inversion.optimisation.i2s import Comparison, draw_codes, moments
from latent_lab.inversion.optimisation.noise import noise_regularisation, normalise, white_maps
from latent_lab.inversion.parts import Curve
from latent_lab.ops.psnr import psnr


class Projector(Inverter):
    r"""Adam on one latent and the noise maps, from the mean of the latents and white noise.

    .. math:: \min_{w, n} D(G(w + \epsilon, n), x) + \lambda_\text{noise} \sum_i R(n_i)

    D is LPIPS' distance without learned weights, R :func:`noise_regularisation`. With t the share of the steps that are
    done, :math:`\epsilon \sim N(0, s^2 I)` has :math:`s = 0.05\, \sigma \max(0, 1 - t / 0.75)^2`, where
    :math:`\sigma^2` is the mean squared distance of styles from their mean; the learning rate rises over the first 5 %
    and falls as a cosine over the last 25 %; the maps are normalised after each step. A map whose strength in the
    generator is 0 is left out; one whose strength is part of the map (MobileStyleGAN) is noise of that strength, so it
    starts anew and not from the distilled constants.

    References:
        | Analyzing and Improving the Image Quality of StyleGAN (Karras et al., 2020), Appendix D
        | https://arxiv.org/abs/1912.04958

    Arguments:
        features: The network of D; None: ``pixels`` must be positive.
        steps: Steps of Adam.
        lr: Its largest learning rate.
        pixels, perceptual: Weights of the mean squared error, which the paper does not have, and of D.
        noise: Weight of R; None keeps the generator's own noise.
        wander: The factor 0.05 of :math:`\epsilon`.
        samples: Samples that mean and :math:`\sigma` are taken over.
    """

    prefers = ("w", "z")

    def __init__(
        self,
        features: nn.Module | None = None,
        steps: int = 1000,
        lr: float = 0.1,
        pixels: float = 0.0,
        perceptual: float = 1.0,
        noise: float | None = 1e5,
        wander: float = 0.05,
        samples: int = 10000,
    ) -> None:
        require_number("inverter.steps", steps, 1, whole=True)
        require_number("inverter.lr", lr, above=True)
        if noise is not None:
            require_number("inverter.noise", noise)
        require_number("inverter.wander", wander)
        require_number("inverter.samples", samples, 2, whole=True)
        self.comparison = Comparison(features, pixels, perceptual, normalised=True)
        self.steps, self.lr, self.noise, self.wander, self.samples = steps, lr, noise, wander, samples

    def rate(self, share: float) -> float:
        """Return the learning rate when this share of the steps is done."""
        fall = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - share) / 0.25))
        return self.lr * fall * min(1.0, share / 0.05)

    def invert(
        self,
        space: LatentSpace,
        images: Tensor,
        rngs: Sequence[torch.Generator],
        track: Track = untracked,
    ) -> Inverted:
        mean, deviation = moments(space, self.samples)
        spread = deviation.square().sum(-1).mean().sqrt()
        codes = Codes.cat([draw_codes(space, 1, rng) for rng in rngs])
        latents = mean.expand(len(images), *space.shape).clone().requires_grad_()
        maps, scales = white_maps(space, rngs) if self.noise is not None else ({}, {})
        variables = [latents, *(value.requires_grad_() for value in maps.values())]
        optimiser = torch.optim.Adam(variables, self.lr)
        targets, curves = self.comparison.targets(images), {name: Curve(len(images)) for name in ("loss", "psnr")}

        def scaled() -> dict[str, Tensor]:
            return {name: value * scales[name] for name, value in maps.items()}

        parts = {"latents": latents, "adam": optimiser, **maps, **curves} | {
            f"rng {i}": rng for i, rng in enumerate(rngs)
        }
        for step in Steps(track, self.steps, "projection", parts):
            share = step / self.steps
            strength = self.wander * spread * max(0.0, 1 - share / 0.75) ** 2
            wandered = latents
            if strength > 0:
                drawn_noise = torch.cat([torch.randn(1, *space.shape, generator=rng) for rng in rngs])
                wandered = latents + strength * drawn_noise.to(space.device)
            made = space.decode(codes.moved(wandered).with_given(scaled()))
            loss = self.comparison(made, targets)
            curves["psnr"].append(psnr(made, images))
            if self.noise:
                loss = loss + self.noise * sum(noise_regularisation(value) for value in maps.values())
            curves["loss"].append(loss)
            optimiser.param_groups[0]["lr"] = self.rate(share)
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
            for value in maps.values():
                normalise(value)
        with torch.no_grad():
            given = {name: value.detach() for name, value in scaled().items()}
        return Inverted(
            codes.moved(latents.detach()).with_given(given),
            curves={name: values.stack().cpu() for name, values in curves.items()},
        )
