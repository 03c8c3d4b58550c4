"""NeuralODEs: a non-linear flow for each attribute, which changes it and keeps the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context, require_amounts
from latent_lab.methods.path_training import TrainedPaths
from latent_lab.methods.scores import average, measure_deviations, require_gradients, score_samples
from latent_lab.ops.streams import POOL, stream
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import layer_rows, restrict_to_rows
from latent_lab.paths.neural_ode import NeuralODEPaths


class NeuralODE(TrainedPaths):
    r"""One path for each attribute, trained by the attributes of the edited image.

    .. math:: L = -\log \sigma(s\, \ell_k(z') / \tau) + \frac{\lambda}{K - 1} \sum_{j \ne k}
        \mathrm{KL}\big(\sigma(\ell_j(z) / \tau)\, \big\|\, \sigma(\ell_j(z') / \tau)\big)

    :math:`\ell_j = (a_j(G(z)) - m_j) / s_j` is the attribute in standard deviations from its mean over the prior, s the
    sign of the amount: the attribute is the published two classes, above and below the mean, with the logit :math:`\ell
    / \tau`. The flow of a negative amount is trained as well, towards the class below.

    References:
        | Latent Transformations via NeuralODEs for GAN-based Image Editing (Khrulkov et al., 2021), Section 3
        | https://arxiv.org/abs/2111.14825

    Arguments:
        attributes: Names of the dataset's attributes, a path each; None for all. They must be differentiable.
        depth, step: See :class:`NeuralODEPaths`.
        amounts: Smallest and largest magnitude of an amount, in units of latent length.
        temperature: :math:`\tau`, above 0.
        weight: :math:`\lambda`, of what should stay.
        probe: Latents of the prior that mean and deviation of the attributes are measured on.
        batch_size: Edits a step.
        lr, training: See :class:`TrainedPaths`.
    """

    supervised = True

    def __init__(
        self,
        attributes: Sequence[str] | None,
        depth: int,
        step: float,
        amounts: Sequence[float],
        temperature: float,
        weight: float,
        probe: int,
        batch_size: int,
        lr: float,
        **training,
    ) -> None:
        super().__init__(batch_size, lr, **training)
        require_amounts(amounts)
        if temperature <= 0 or weight < 0 or probe < 2:
            raise ValueError(
                f"method.temperature must be above 0, weight at least 0 and probe at least 2, got {temperature}, "
                f"{weight} and {probe}"
            )
        self.attributes, self.depth, self.step, self.amounts, self.temperature = (
            attributes,
            depth,
            step,
            tuple(amounts),
            temperature,
        )
        self.weight, self.probe = weight, probe

    def fit(self, space: LatentSpace, context: Context) -> Paths:
        """Train a flow for each attribute.

        Raises:
            NotApplicable: An attribute has no gradient.
        """
        attributes = context.require_attributes(self.attributes).requires_grad_(False)
        require_gradients(space, attributes, context.rng)
        context.findings["names"] = list(attributes.names)
        values = score_samples(space, attributes, self.probe, stream(context.seed, 0, 0, POOL), batch_size=64).values
        mean, deviation = (
            average(attributes, values).to(space.device),
            measure_deviations(attributes, values).to(space.device),
        )
        paths = NeuralODEPaths(space.shape[-1], len(attributes.names), self.depth, self.step, context.rng)
        paths = restrict_to_rows(paths, layer_rows(space, None))

        def loss(paths: Paths, codes: Codes, rng: torch.Generator) -> Mapping[str, Tensor]:
            return self.compute_terms(space, paths, attributes, mean, deviation, codes, rng)

        return self.train(space, paths, loss, context)

    def compute_terms(
        self,
        space: LatentSpace,
        paths: Paths,
        attributes: Attributes,
        mean: Tensor,
        deviation: Tensor,
        codes: Codes,
        rng: torch.Generator,
    ) -> dict[str, Tensor]:
        """Return the loss of a batch of edits, and the shares that reached their class and left the other
        attributes."""
        num, device = len(codes), codes.latents.device
        k = torch.randint(paths.num_paths, (num,), generator=rng).to(device)
        sign = (2.0 * torch.randint(2, (num,), generator=rng) - 1).to(device)
        smallest, largest = self.amounts
        eps = sign * (smallest + (largest - smallest) * torch.rand(num, generator=rng)).to(device)

        def logits(codes: Codes) -> Tensor:
            values = attributes.measure(space, codes, space.decode(codes).float())
            return attributes.change(mean.expand_as(values), values) / deviation / self.temperature

        with torch.no_grad():
            before = logits(codes)
        after = logits(codes.moved(paths.shift(codes.latents, k, eps, codes.given)))
        own = F.one_hot(k, paths.num_paths).bool()
        change = F.binary_cross_entropy_with_logits(after, before.sigmoid(), reduction="none")
        # KL: less what cannot be lost
        change = change - F.binary_cross_entropy_with_logits(before, before.sigmoid(), reduction="none")
        target = F.softplus(-sign * after[own])
        measured = (after.isfinite() & before.isfinite()).all(1)  # an image in which nothing is found teaches nothing
        kept = (change * ~own).sum(1) / max(1, paths.num_paths - 1)
        return {
            "loss": (target + self.weight * kept)[measured].mean(),
            "reached": (sign * after[own] > 0)[measured].float().mean(),
            "kept": kept[measured].mean(),
        }
