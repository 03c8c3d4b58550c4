"""Products with the generator's Jacobian, which is never held as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.func import jvp, vjp

if TYPE_CHECKING:
    from latent_lab.attributes.base import Attributes
    from latent_lab.gans.codes import Codes
    from latent_lab.gans.space import LatentSpace


@torch.no_grad()
def pullback_metric(space: LatentSpace, codes: Codes, step: float = 0.05, batch_size: int = 256) -> Tensor:
    r"""Return the pixels' metric at each latent by differences, :math:`J^\top J` with :math:`J = \partial G / \partial
    z`, with shape :math:`(N, D, D)`.

    For small moves :math:`\|G(z + a) - G(z)\|^2 = a^\top J^\top J\, a`. Columns of J are differences
    :math:`(G(z + h e_i) - G(z)) / h`: D + 1 decodes a latent, which cost a fifth of as many forward-mode products. It
    is what a training can afford; :func:`metric_product` is exact, and holds no J.

    Arguments:
        space: A space whose latents are vectors.
        codes: Codes at which it is measured.
        step: Length h of a difference.
        batch_size: Images decoded at once.
    """
    (dim,) = space.shape
    moves = torch.cat([torch.zeros(1, dim), step * torch.eye(dim)]).to(codes.latents)
    metrics = []
    for part in torch.arange(len(codes), device=moves.device).split(max(1, batch_size // (dim + 1))):
        fan = codes.select(part.repeat_interleave(dim + 1))
        fan = fan.moved(fan.latents + moves.repeat(len(part), 1))
        rows = torch.arange(len(fan), device=moves.device).split(batch_size)
        images = torch.cat([space.decode(fan.select(row)).float().flatten(1) for row in rows]).unflatten(
            0, (len(part), dim + 1)
        )
        columns = (images[:, 1:] - images[:, :1]) / step  # (n, D, pixels)
        metrics.append(columns @ columns.mT)
    return torch.cat(metrics)


@torch.no_grad()
def attribute_jacobian(
    space: LatentSpace,
    codes: Codes,
    attributes: Attributes,
    axes: Tensor,
    layers: Sequence[int] | None = None,
    step: float = 0.1,
    batch_size: int = 64,
) -> Tensor:
    r"""Return the derivatives of attributes along directions at each latent, with shape :math:`(N, A, R)`.

    .. math:: J_{ar} = \frac{a(G(z + h u_r)) - a(G(z - h u_r))}{2 h}

    Differences take any predictor, also one without a gradient; an angle's is the short way round. They cost 2 R
    decodes a latent. nan where a predictor found nothing in one of the two images.

    Arguments:
        space, codes: The latent space, and codes at which it is measured.
        attributes: Measures the attributes, A of them.
        axes: Directions :math:`u_r`, the columns of a matrix with shape :math:`(D, R)`.
        layers: Rows of w+ that move together; None where latents are vectors.
        step: Half the length h of a difference, in lengths of the directions.
        batch_size: Images decoded at once.
    """
    moves = step * torch.cat([axes.mT, -axes.mT]).to(codes.latents)  # (2R, D)
    if layers is not None:
        rows = torch.zeros(space.shape[0], 1).to(moves).index_fill_(0, torch.as_tensor(layers, device=moves.device), 1)
        moves = moves[:, None] * rows
    found = []
    for n in range(len(codes)):
        values = []
        for part in moves.split(batch_size):
            near = codes.select(torch.full((len(part),), n, device=moves.device))
            near = near.moved(near.latents + part)
            values.append(attributes.measure(space, near, space.decode(near).float()))
        ahead, behind = torch.cat(values).chunk(2)
        found.append(attributes.change(behind, ahead).mT / (2 * step))
    return torch.stack(found)


@torch.no_grad()
def metric_product(
    space: LatentSpace,
    codes: Codes,
    directions: Tensor,
    weights: Tensor,
    layers: Sequence[int] | None = None,
    chunk: int = 16,
) -> Tensor:
    r"""Return the mean over the codes of :math:`J^\top W_r J\, v_m` for directions :math:`v_m` and regions r, with
    shape :math:`(R, M, D)`.

    W weighs the pixels: :math:`a^\top J^\top W J\, a` is the weighted squared change of the image for a small move a. A
    forward-mode product gives :math:`u = J v` for ``chunk`` directions at once, a reverse-mode product :math:`J^\top W
    u` of each region; then u is dropped. With the unit matrix as directions this is :math:`J^\top W J` itself. Sums are
    in float64.

    Arguments:
        space: In w+ a direction is one vector that is added to all the ``layers``, and J the derivative by it.
        codes: Codes at which it is measured.
        directions: Directions, with shape :math:`(M, D)`.
        weights: Weights of the pixels in each region, with shape :math:`(N, R, H, W)`, the same for all channels.
        layers: Rows of w+ that move; None for all, or where latents are vectors.
        chunk: Products made at once, which bounds the memory: that of a backward pass through as many images.
    """
    total = torch.zeros(weights.shape[1], *directions.shape, dtype=torch.float64, device=directions.device)
    # which rows take the direction: one, in a flat space
    lift = torch.ones(space.shape[:-1]).to(codes.latents)[..., None]
    if layers is not None:
        lift = torch.zeros_like(lift).index_fill_(0, torch.as_tensor(layers, device=lift.device), 1)
    for n in range(len(codes)):
        for rows in torch.arange(len(directions), device=directions.device).split(chunk):
            here = codes.select(torch.full_like(rows, n))
            shape = (len(rows), *[1] * (len(space.shape) - 1), -1)

            def images(move: Tensor, here: Codes = here, shape: tuple[int, ...] = shape) -> Tensor:
                return space.decode(here.moved(here.latents + lift * move.view(shape)))

            tangents = directions[rows].to(codes.latents)
            still = torch.zeros_like(tangents)
            change = jvp(images, (still,), (tangents,))[1]
            pull = vjp(images, still)[1]
            for r, weight in enumerate(weights[n]):
                total[r, rows] += pull(weight.to(change) * change)[0].double()
    return total / len(codes)


def leading_directions(
    space: LatentSpace,
    codes: Codes,
    num: int,
    rng: torch.Generator,
    layers: Sequence[int] | None = None,
    chunk: int = 16,
    iterations: int = 2,
) -> Tensor:
    r"""Return an orthonormal basis :math:`(M, D)` of about the leading directions of the mean :math:`J^\top J`.

    It takes :math:`(q + 1) M` products, where the whole matrix would take D.

    References:
        | Finding Structure with Randomness (Halko, Martinsson & Tropp, 2011), Algorithm 4.4
        | https://arxiv.org/abs/0909.4061

    Arguments:
        space, codes, layers, chunk: See :func:`metric_product`.
        num: Number M of directions, at most D; a few more than are needed.
        rng: Source of the first directions.
        iterations: Number q of subspace iterations after the first product.
    """
    size = space.generator.resolution
    everywhere = torch.ones(len(codes), 1, size, size, device=codes.latents.device)
    basis = torch.randn(num, space.shape[-1], generator=rng, dtype=torch.float64).to(codes.latents.device)
    for _ in range(iterations + 1):
        basis = torch.linalg.qr(metric_product(space, codes, basis, everywhere, layers, chunk)[0].mT)[0].mT
    return basis
