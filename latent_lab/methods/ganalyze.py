"""GANalyze: walks along which an assessor's score moves by the amount asked for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context
from latent_lab.methods.scores import measure_deviations, require_gradients, score_samples
from latent_lab.methods.walk import Target


class AssessorTarget(Target):
    r"""The score of an assessor A, which moves by the amount.

    .. math:: L = \mathbb{E}\left(\frac{A(G(\phi_k^\varepsilon(z))) - A(G(z))}{s} - \varepsilon\right)^2

    One unit of amount is one standard deviation s of the score over the prior (the paper's assessors score in [0, 1],
    and its amounts are in that unit). A score is never asked to leave its range: what is asked is clamped. Each
    attribute is an assessor and has a path.

    References:
        | GANalyze: Toward Visual Definitions of Cognitive Image Properties (Goetschalckx et al., 2019), Eq. 1
        | https://arxiv.org/abs/1906.10112

    Arguments:
        attributes: The assessors, by the names of the dataset's attributes; None for all.
        samples: Samples of the prior that the standard deviations are measured on.
        space: The latent space of the walks.
        context: Gives the attributes.
        amounts: Smallest and largest magnitude of a training amount.
    """

    supervised = True

    def __init__(
        self,
        attributes: Sequence[str] | None,
        samples: int = 512,
        *,
        space: LatentSpace,
        context: Context,
        amounts: tuple[float, float],
    ) -> None:
        super().__init__()
        self.space, self.attributes = space, context.require_attributes(attributes).requires_grad_(False)
        self.names = tuple(self.attributes.names)
        require_gradients(space, self.attributes, context.rng)
        values = score_samples(space, self.attributes, samples, context.rng, batch_size=32).values
        deviation = measure_deviations(self.attributes, values)
        low, high = torch.tensor(self.attributes.ranges).mT
        for name, width in zip(self.names, ((high - low) / deviation).tolist()):
            if amounts[1] > width:
                raise ValueError(
                    f"method.amounts must be at most {width:.3g} standard deviations of {name!r}, "
                    f"which its range allows, got {list(amounts)}"
                )
        for name, value in (
            ("deviation", deviation),
            ("low", low),
            ("high", high),
            ("angle", torch.tensor(self.attributes.periods) > 0),
        ):
            self.register_buffer(name, value, persistent=False)

    def train(self, mode: bool = True) -> AssessorTarget:
        """Set the training mode. The assessors stay in eval mode."""
        super().train(mode)
        self.attributes.eval()
        return self

    def errors(
        self, codes: Codes, before: Tensor, moved: Codes, after: Tensor, amounts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the values asked for, those reached, and their difference in standard deviations, each :math:`(N, K)`.

        All three are 0 for images in which nothing was found.
        """
        with torch.no_grad():
            start = self.attributes.measure(self.space, codes, before)
        reached = self.attributes.measure(self.space, moved, after)
        asked = start + amounts * self.deviation
        asked = asked.where(self.angle, asked.clamp(self.low, self.high))
        found = asked.isfinite() & reached.isfinite()
        asked, reached = (value.where(found, torch.zeros_like(value)) for value in (asked, reached))
        return asked, reached, self.attributes.change(asked, reached) / self.deviation

    def losses(self, codes: Codes, before: Tensor, moved: Codes, after: Tensor, amounts: Tensor) -> dict[str, Tensor]:
        """Return the mean squared error of the attributes that are walked along."""
        _, _, error = self.errors(codes, before, moved, after, amounts)
        walked = amounts != 0
        return {"score": (error * walked).square().sum() / walked.sum().clamp_min(1)}

    def realised(self, codes: Codes, before: Tensor, moved: Codes, after: Tensor, k: Tensor) -> Tensor:
        """Return the change of each path's own score, in standard deviations, :math:`(N,)`."""
        start, end = (self.attributes.measure(self.space, *pair) for pair in ((codes, before), (moved, after)))
        return (self.attributes.change(start, end) / self.deviation).gather(1, k[:, None])[:, 0]
