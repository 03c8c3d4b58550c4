"""Latents and labels of the class-conditional generators."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latent_lab.gans.codes import Codes


def truncated_normal(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Draw standard normal numbers from -2 to 2.

    Arguments:
        shape: Shape of the result.
        rng: Source of the random numbers.
    """
    edge = torch.special.ndtr(torch.tensor([-2.0, 2.0], dtype=torch.float64))
    uniform = torch.rand(shape, generator=rng, dtype=torch.float64)
    return torch.special.ndtri(edge[0] + uniform * (edge[1] - edge[0])).float()


def class_labels(label: int | Sequence[int] | Tensor, num: int, classes: int) -> Tensor:
    """Return the classes of ``num`` images, with shape :math:`(N,)`.

    Arguments:
        label: A number for all images, or one for each.
        num: Number N of images.
        classes: Number of classes of the generator; 0 where it has none, so that no label is right.

    Raises:
        ValueError: if a label is no class.

    Example:
        >>> class_labels(3, 2, classes=10)
        tensor([3, 3])
    """
    if not classes:
        raise ValueError(f"label must be None for a generator without classes, got {str(label)[:60]}")
    numbers = torch.as_tensor(label)
    whole = not (numbers.is_floating_point() or numbers.is_complex() or numbers.dtype is torch.bool)
    if not whole or numbers.shape not in ((), (num,)) or not ((numbers >= 0) & (numbers < classes)).all():
        raise ValueError(
            f"label must be a class from 0 to {classes - 1}, or one for each of the {num} latents, "
            f"got {str(label)[:60]}"
        )
    return numbers.long().expand(num)


def draw_codes(
    labels: Sequence[int], dim: int, num: int, rng: torch.Generator, truncation: float, device: torch.device
) -> Codes:
    """Draw codes: first labels, then latents, normal at truncation 1, below it truncated normal and scaled.

    Arguments:
        labels: Classes, all as likely.
        dim: Size D of a latent.
        num: Number N of codes.
        rng: Source of the random numbers.
        truncation: Factor of the latents.
        device: Device of the result.
    """
    choice = torch.randint(len(labels), (num,), generator=rng)
    label = torch.tensor(list(labels))[choice]
    shape = (num, dim)
    z = torch.randn(shape, generator=rng) if truncation == 1 else truncation * truncated_normal(shape, rng)
    return Codes(z.to(device), {"label": label.to(device)})
