"""How much an edit changes who is shown."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def identity_error(before: Tensor, after: Tensor) -> Tensor:
    r"""One minus the cosine of two embeddings, over the last axis; exactly 0 for equal ones.

    References:
        | Deep Curvilinear Editing (Aoshima & Matsubara, 2023), Section 4
        | https://arxiv.org/abs/2211.14573
    """
    error = 1 - F.cosine_similarity(before.double(), after.double(), dim=-1)
    return error.where((before != after).any(-1), torch.zeros_like(error)).to(before.dtype)
