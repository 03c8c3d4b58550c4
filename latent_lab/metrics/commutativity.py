"""How much the order of two edits matters."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


def commutativity_error(one: Tensor, other: Tensor, original: Tensor | None = None) -> Tensor:
    r"""Distance between the results of two sequences, with shape :math:`(N,)`.

    With ``original`` relative to the edit, :math:`\|a - b\| / \|a - o\|`; without, the mean absolute difference.
    """
    if original is None:
        return (one - other).abs().flatten(1).mean(1)
    edit = torch.linalg.vector_norm((one - original).flatten(1), dim=1)
    return torch.linalg.vector_norm((one - other).flatten(1), dim=1) / edit.clamp_min(torch.finfo(one.dtype).tiny)


class CommutativityError(Metric):
    r"""Mean over pairs of edits of the error of exchanging their order, or of undoing them in the order in which they
    were made.

    ``swap``: :math:`\phi_l \phi_k z` against :math:`\phi_k \phi_l z`. ``return``: :math:`\phi_l^{-1} \phi_k^{-1} \phi_l
    \phi_k z` against z, the error of the paper's table. In latents it is relative to the length of the double edit; in
    images (range [-1, 1]) and attributes (their own units) it is a mean absolute difference.

    References:
        | Deep Curvilinear Editing (Aoshima & Matsubara, 2023), Table 2
        | https://arxiv.org/abs/2211.14573

    Arguments:
        level: ``latents``, ``images`` or ``attributes``.
        form: ``swap`` or ``return``.
        difference: Of two tensors of attributes, the second minus the first (the short way round for angles).
    """

    higher_is_better = False
    full_state_update = False
    levels, forms = ("latents", "images", "attributes"), ("swap", "return")

    def __init__(
        self,
        level: str = "latents",
        form: str = "swap",
        difference: Callable[[Tensor, Tensor], Tensor] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if level not in self.levels:
            raise ValueError(f"level must be one of {self.levels}, got {level!r}")
        if form not in self.forms:
            raise ValueError(f"form must be one of {self.forms}, got {form!r}")
        self.level, self.difference = level, difference
        self.sequences = ("kl", "lk") if form == "swap" else ("kl", "klKL")
        self.against_original = form == "return"
        self.add_state("errors", [], dist_reduce_fx="cat")

    def update(self, views, pair) -> None:
        """Takes the views of ``sequences`` and of the original (the empty sequence)."""
        original, edited, other = (getattr(views[name], self.level) for name in ("", *self.sequences))
        # the two results that should agree, and what the length of the double edit is measured from
        one, two, start = (original, other, edited) if self.against_original else (edited, other, original)
        if self.level == "attributes":
            error = (two - one if self.difference is None else self.difference(one, two)).abs()
        else:
            error = commutativity_error(one, two, start if self.level == "latents" else None)
        self.errors.append(error.detach())

    def values(self) -> Tensor:
        """The error of each sample, with shape :math:`(N,)`; of each attribute, :math:`(N, A)`, at that level."""
        return dim_zero_cat(self.errors)

    def compute(self) -> Tensor:
        return self.values().mean()
