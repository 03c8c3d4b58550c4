"""How much an edit changes who is shown."""

from __future__ import annotations

import latent_lab.cpu_torchvision  # noqa: F401  (before torchmetrics)

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


def identity_error(before: Tensor, after: Tensor) -> Tensor:
    r"""One minus the cosine of two embeddings, over the last axis; exactly 0 for equal ones."""
    error = 1 - F.cosine_similarity(before.double(), after.double(), dim=-1)
    return error.where((before != after).any(-1), torch.zeros_like(error)).to(before.dtype)


class IdentityError(Metric):
    r"""Mean of :math:`1 - \cos(E(x), E(x'))` over edits, E an embedding of the identity.

    References:
        | Deep Curvilinear Editing (Aoshima & Matsubara, 2023), Section 4
        | https://arxiv.org/abs/2211.14573
    """

    higher_is_better = False
    full_state_update = False

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.add_state("errors", [], dist_reduce_fx="cat")

    def update(self, before: Tensor, after: Tensor) -> None:
        """Takes embeddings :math:`(N, \\dots, E)` of the originals and of the edited images."""
        self.errors.append(identity_error(before, after))

    def values(self) -> Tensor:
        """The error of each edit."""
        return dim_zero_cat(self.errors)

    def compute(self) -> Tensor:
        return self.values().mean()
