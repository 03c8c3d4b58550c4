"""Codes: everything that fixes the images of a generator, N of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Codes:
    """Everything that fixes N images. ``len(codes)`` is N.

    Arguments:
        latents: The part that an edit changes, with shape :math:`(N, D)`; in w+ :math:`(N, L, D)`.
        given: The part that an edit leaves alone (label, noise maps, conditions), each with N first.

    Raises:
        ValueError: if a tensor of ``given`` has another length than the latents.

    Example:
        >>> codes = Codes(torch.zeros(2, 3), {"label": torch.tensor([7, 8])})
        >>> len(codes), len(codes.repeat(3)), codes.select([1]).given["label"].tolist()
        (2, 6, [8])
        >>> len(Codes.cat([codes, codes.moved(codes.latents + 1)]))
        4
    """

    latents: Tensor
    given: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.latents.ndim == 0:
            raise ValueError("latents must have the number of images first, got a tensor without dimensions")
        for name, value in self.given.items():
            if value.shape[:1] != self.latents.shape[:1]:
                raise ValueError(
                    f"given must hold {len(self)} of each, as many as latents, got {name} of shape {tuple(value.shape)}"
                )

    def __len__(self) -> int:
        return len(self.latents)

    @property
    def has_noise(self) -> bool:
        """True if noise is given: a share of the stored maps (``noise``), or maps (``noise.<number>``)."""
        return any(name.partition(".")[0] == "noise" for name in self.given)

    @staticmethod
    def cat(parts: Sequence[Codes]) -> Codes:
        """Join several codes, the images of the first part first; all must have the same names in ``given``."""
        if not parts:
            raise ValueError("parts must be at least one Codes, got none")
        names = list(parts[0].given)
        for part in parts:
            if part.given.keys() != set(names):
                raise ValueError(
                    f"parts must have the same names in given, got {sorted(names)} and {sorted(part.given)}"
                )
        return Codes(
            torch.cat([part.latents for part in parts]),
            {name: torch.cat([part.given[name] for part in parts]) for name in names},
        )

    def to(self, target: torch.device | torch.dtype | str | int) -> Codes:
        """Return the codes on a device, or in a floating-point type (labels and other integers stay as they are)."""
        if not isinstance(target, torch.dtype):
            return Codes(self.latents.to(target), {name: value.to(target) for name, value in self.given.items()})
        if not target.is_floating_point:
            raise ValueError(f"target must be a device or a floating-point type, got {target}")
        return Codes(
            self.latents.to(target),
            {name: value.to(target) if value.is_floating_point() else value for name, value in self.given.items()},
        )

    def select(self, index: Tensor | slice | Sequence[int]) -> Codes:
        """Return the codes of some of the images."""
        return Codes(self.latents[index], {name: value[index] for name, value in self.given.items()})

    def repeat(self, times: int) -> Codes:
        """Return every code ``times`` times in a row, :math:`N \\cdot \\text{times}` in all."""
        return self.select(torch.arange(len(self), device=self.latents.device).repeat_interleave(times))

    def moved(self, latents: Tensor) -> Codes:
        """Return the same codes at other latents: a pair shares condition, noise and truncation."""
        return Codes(latents, self.given)

    def with_given(self, given: Mapping[str, Tensor] | None = None, /, **named: Tensor) -> Codes:
        """Return the codes with more in ``given``, or with other tensors of the same names.

        Arguments:
            given: Tensors by name, each with N first; for names such as ``noise.0`` that are no words of Python.
            named: The same, as keywords.
        """
        return Codes(self.latents, {**self.given, **(given or {}), **named})

    def without(self, *names: str) -> Codes:
        """Return the codes without these names in ``given``, whether they were there or not."""
        return Codes(self.latents, {name: value for name, value in self.given.items() if name not in names})
