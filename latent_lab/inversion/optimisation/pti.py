"""Pivotal tuning: the generator's parameters are tuned until it draws the image at the latent that was found."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import pad_sequence

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.base import Inverted, Inverter, Track, require_number, untracked
from latent_lab.inversion.keeper import Steps
from latent_lab.inversion.optimisation.i2s import Comparison, draw_codes, moments
from latent_lab.inversion.parts import Curve
from latent_lab.ops.psnr import psnr


class Synthesis(nn.Module):
    """The generator's synthesis as a function of its parameters."""

    def __init__(self, space: LatentSpace) -> None:
        super().__init__()
        self.space = space

    def forward(self, codes: Codes) -> Tensor:
        return self.space.decode(codes)


def tuned_space(space: LatentSpace, tuned: Mapping[str, Tensor]) -> LatentSpace:
    """Return the space of a copy of the generator with changed parameters, or the space itself where nothing changes.

    Arguments:
        space: The space, which stays as it is.
        tuned: Changes found for one image, by the name of the generator's parameter and with its shape.

    Raises:
        ValueError: The generator has no such parameter.
    """
    if not tuned:
        return space
    space = copy.deepcopy(space)
    parameters = dict(space.generator.named_parameters())
    strange = [name for name, value in tuned.items() if name not in parameters or parameters[name].shape != value.shape]
    if strange:
        raise ValueError(
            f"tuned must be of the generator that it was found on, which has no {strange[:3]} of that shape"
        )
    with torch.no_grad():
        for name, value in tuned.items():
            parameters[name] += value.to(parameters[name])
    return space


class PivotalTuning(Inverter):
    r"""Another inverter's codes as pivots, then Adam on the generator's parameters, of a copy for each image.

    .. math:: \min_\theta D(G_\theta(w_p), x) + \lambda_\text{pixels} \overline{(G_\theta(w_p) - x)^2}
        + \lambda_\text{local} \left( D(G_\theta(w_r), G_{\theta_0}(w_r)) + \overline{(G_\theta(w_r) -
        G_{\theta_0}(w_r))^2} \right)

    where :math:`w_r` lies ``alpha`` from the pivot :math:`w_p` towards a sample of truncation 0.5, a new one each step.
    Parameters that the image does not depend on (the mapping, in w) stay. It ends where D falls below ``threshold``.

    References:
        | Pivotal Tuning for Latent-based Editing of Real Images (Roich et al., 2021), Eq. 1-6
        | https://arxiv.org/abs/2106.05744

    Arguments:
        pivot: The inverter that finds the pivots.
        features: The network of D; None: pixels alone, and no threshold.
        steps: Largest number of steps of Adam.
        lr: Adam's learning rate.
        pixels, perceptual: Weights of the two terms.
        threshold: D at which it ends.
        locality: Weight of the last term, which keeps the generator elsewhere as it was; published 0.1, and off as
            published.
        alpha: Distance of the places where it is kept.
    """

    def __init__(
        self,
        pivot: Inverter,
        features: nn.Module | None = None,
        steps: int = 350,
        lr: float = 3e-4,
        pixels: float = 1.0,
        perceptual: float = 1.0,
        threshold: float = 0.06,
        locality: float = 0.0,
        alpha: float = 30.0,
    ) -> None:
        require_number("inverter.steps", steps, 1, whole=True)
        require_number("inverter.lr", lr, above=True)
        for name, value in (("threshold", threshold), ("locality", locality), ("alpha", alpha)):
            require_number(f"inverter.{name}", value)
        self.pivot, self.prefers = pivot, pivot.prefers
        self.comparison = Comparison(features, pixels, perceptual, normalised=True)
        self.nearby = Comparison(features, 1.0, 1.0, normalised=True)
        self.steps, self.lr, self.threshold, self.locality, self.alpha = steps, lr, threshold, locality, alpha

    def invert(
        self,
        space: LatentSpace,
        images: Tensor,
        rngs: Sequence[torch.Generator],
        track: Track = untracked,
    ) -> Inverted:
        found = self.pivot.invert(space, images, rngs, track)
        mean = moments(space)[0] if self.locality else None
        results = [
            self.tune(space, images[i : i + 1], found.codes.select(slice(i, i + 1)), rng, mean, track)
            for i, rng in enumerate(rngs)
        ]
        parameters = dict(space.generator.named_parameters())
        names = [name for name in parameters if any(name in deltas for deltas, _ in results)]
        tuned = {
            name: torch.stack([deltas.get(name, torch.zeros_like(parameters[name])) for deltas, _ in results])
            for name in names
        }
        curves = {  # those that end early go on as nan
            name: pad_sequence([curves[name].stack()[:, 0].cpu() for _, curves in results], padding_value=float("nan"))
            for name in results[0][1]
        }
        return Inverted(found.codes, tuned, {f"pivot/{name}": values for name, values in found.curves.items()} | curves)

    def tune(
        self, space: LatentSpace, image: Tensor, codes: Codes, rng: torch.Generator, mean: Tensor | None, track: Track
    ) -> tuple[dict[str, Tensor], dict[str, Curve]]:
        """Tune the parameters for one image. Return their changes by the names of the generator's parameters, and the
        curves."""
        synthesis = Synthesis(space)
        before = {name: value.detach() for name, value in synthesis.named_parameters()}
        after = {name: value.clone().requires_grad_() for name, value in before.items()}
        optimiser = torch.optim.Adam(after.values(), self.lr)
        targets, curves = self.comparison.targets(image), {"loss": Curve(1), "psnr": Curve(1)}
        steps = Steps(track, self.steps, "tuning", after | {"adam": optimiser, "rng": rng, **curves})
        for _ in steps:
            made = functional_call(synthesis, after, (codes,))
            error, distance = self.comparison.terms(made, targets)
            loss = self.comparison.pixels * error + self.comparison.perceptual * distance
            curves["loss"].append(loss)
            curves["psnr"].append(psnr(made, image))
            if self.comparison.distance and distance.item() <= self.threshold:
                steps.end()
                continue
            if mean is not None:
                loss = loss + self.locality * self.change_nearby(synthesis, after, codes, rng, mean)
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
        moved = [name for name, value in after.items() if value in optimiser.state]  # the image depends on them
        return {name.removeprefix("space.generator."): (after[name] - before[name]).detach() for name in moved}, curves

    def change_nearby(
        self, synthesis: Synthesis, after: dict[str, Tensor], codes: Codes, rng: torch.Generator, mean: Tensor
    ) -> Tensor:
        """Measure how much the image changes at a random place around the pivot, :math:`(1,)`."""
        sample = torch.lerp(mean, draw_codes(synthesis.space, 1, rng).latents, 0.5)
        away = sample - codes.latents
        length = torch.linalg.vector_norm(away, dim=-1, keepdim=True)
        there = codes.moved(codes.latents + self.alpha * away / length.clamp_min(1e-8))
        with torch.no_grad():
            was = self.nearby.targets(synthesis(there))
        return self.nearby(functional_call(synthesis, after, (there,)), was)
