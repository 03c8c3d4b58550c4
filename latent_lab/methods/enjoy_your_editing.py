"""Enjoy Your Editing: walks that change several attributes at once, and nothing else of the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.attributes.base import Predictor
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context
from latent_lab.methods.ganalyze import AssessorTarget


class EditingTarget(AssessorTarget):
    r"""Attributes that take the values asked for, while content stays and a critic takes the image for an unedited one.

    .. math:: L = \lambda_1 L_\text{reg} + \lambda_2 L_\text{disc} + \lambda_3 L_\text{content}

    :math:`L_\text{reg}` is the cross-entropy between asked and reached probability, and half the squared error in
    standard deviations for attributes that are no probabilities; attributes that are not walked along are asked to
    stay. :math:`L_\text{content}` is :math:`1 - \cos` of the embeddings of both images. :math:`L_\text{disc} =
    \mathbb{E}\, \text{softplus}(-C(G(\phi(z))))`, with a critic C that is trained beside the walks to tell edited from
    unedited samples: few generators are published with their discriminator, which the paper takes.

    References:
        | Enjoy Your Editing: Controllable GANs for Image Editing via Latent Space Navigation (Zhuang et al., 2021),
          Section 3
        | https://arxiv.org/abs/2102.01187

    Arguments:
        attributes: Names of the attributes; see :class:`AssessorTarget`.
        samples: Samples of the prior that the standard deviations are measured on.
        regression: Weight :math:`\lambda_1` of the reached values.
        realism: Weight :math:`\lambda_2` of the critic's judgement.
        content: Weight :math:`\lambda_3` of the content.
        embedding: Reads the content that must stay (a classifier's embedding); None compares the pixels. It should be
            another network than the one that judges the identity afterwards.
        critic: Makes the critic from ``image_channels``.
        space: The latent space of the walks.
        context: Gives the attributes.
        amounts: Smallest and largest magnitude of a training amount.
    """

    def __init__(
        self,
        attributes: Sequence[str] | None,
        samples: int = 512,
        *,
        regression: float,
        realism: float,
        content: float,
        embedding: Predictor | None,
        critic: Callable[..., nn.Module],
        space: LatentSpace,
        context: Context,
        amounts: tuple[float, float],
    ) -> None:
        super().__init__(attributes, samples, space=space, context=context, amounts=amounts)
        if min(regression, realism, content) < 0:
            raise ValueError(
                f"target.regression, realism and content must be at least 0, got {regression}, {realism} and {content}"
            )
        self.weights = {"regression": regression, "realism": realism, "content": content, "critic": 1.0}
        self.embedding = embedding.eval().requires_grad_(False) if embedding is not None else None
        probability = torch.tensor([unit.startswith("probability") for unit in self.attributes.units])
        self.register_buffer("probability", probability, persistent=False)
        with torch.random.fork_rng():
            torch.manual_seed(context.rng.initial_seed())  # torch's layers initialise from the global source
            self.critic = critic(image_channels=space.generator.channels)

    def train(self, mode: bool = True) -> EditingTarget:
        """Set the training mode of the critic. The predictors stay in eval mode."""
        super().train(mode)
        if self.embedding is not None:
            self.embedding.eval()
        return self

    def losses(self, codes: Codes, before: Tensor, moved: Codes, after: Tensor, amounts: Tensor) -> dict[str, Tensor]:
        """Return the weighted losses of the walks, and that of the critic."""
        asked, reached, error = self.errors(codes, before, moved, after, amounts)
        entropy = F.binary_cross_entropy(reached.clamp(1e-4, 1 - 1e-4), asked.clamp(0, 1), reduction="none")
        terms = {
            "regression": torch.where(self.probability, entropy, error.square() / 2).mean(),
            "content": self.content(codes, before, moved, after),
        }
        self.critic.requires_grad_(False)  # the walks' term must not teach the critic
        terms["realism"] = F.softplus(-self.critic(after)).mean()
        self.critic.requires_grad_(True)
        terms["critic"] = (F.softplus(-self.critic(before)) + F.softplus(self.critic(after.detach()))).mean()
        return {name: self.weights[name] * value for name, value in terms.items()}

    def content(self, codes: Codes, before: Tensor, moved: Codes, after: Tensor) -> Tensor:
        """Return how much of the content has changed."""
        if self.embedding is None:
            return (after - before).square().mean()
        with torch.no_grad():
            start = self.embedding.measure(self.space, codes, before)
        return (1 - F.cosine_similarity(start, self.embedding.measure(self.space, moved, after))).nanmean()
