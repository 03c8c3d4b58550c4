"""How the image changes with the latent, without ever holding the whole Jacobian."""

from __future__ import annotations

import torch
from torch import Tensor

from latent_lab.gans.space import Codes, LatentSpace


@torch.no_grad()
def pullback_metric(space: LatentSpace, codes: Codes, step: float = 0.05, batch_size: int = 256) -> Tensor:
    r"""The pixels' metric at each latent, :math:`J^\top J` with :math:`J = \partial G / \partial z`, with shape :math:`(N, D, D)`.

    For small moves :math:`\|G(z + a) - G(z)\|^2 = a^\top J^\top J\, a`. Columns of J are differences
    :math:`(G(z + h e_i) - G(z)) / h`: D + 1 decodes a latent, which cost a fifth of as many forward-mode products.

    Arguments:
        space: A space whose latents are vectors.
        codes: Where it is measured.
        step: Length h of a difference.
        batch_size: Images decoded at once.
    """
    (dim,) = space.shape
    moves = torch.cat([torch.zeros(1, dim), step * torch.eye(dim)]).to(codes.latents)
    metrics = []
    for part in torch.arange(len(codes.latents), device=moves.device).split(max(1, batch_size // (dim + 1))):
        fan = codes.select(part.repeat_interleave(dim + 1))
        fan = fan.moved(fan.latents + moves.repeat(len(part), 1))
        rows = torch.arange(len(fan.latents), device=moves.device).split(batch_size)
        images = torch.cat([space.decode(fan.select(row)).float().flatten(1) for row in rows]).unflatten(0, (len(part), dim + 1))
        columns = (images[:, 1:] - images[:, :1]) / step  # (n, D, pixels)
        metrics.append(columns @ columns.mT)
    return torch.cat(metrics)
