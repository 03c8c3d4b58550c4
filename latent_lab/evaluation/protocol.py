"""One protocol for every method: how many paths, how far, on which latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Protocol:
    """The rules of an evaluation (``evaluation=`` of the command line).

    Arguments:
        name: The evaluation's name in ``metrics.json``.
        seed: Seed of the latents, the same for all runs, so that methods are compared on the same images.
        num_paths: Paths that are chosen for scores on images and for pictures.
        num_latents: Latents of the scores.
        prior_latents: Latents that an attribute's standard deviation is measured on.
        ranking_latents: Latents that all K paths are ranked on.
        matrix_latents: Latents of the K x K matrix of commutativity.
        length: Realised length of an edit at which order is compared, in units of the latent.
        changes: Changes of a path's own attribute, in standard deviations, at which effects are compared.
        pairs: Ordered pairs of chosen paths that each latent is edited with; all pairs have their turn.
        choose_by: ``correlation``, ``steepness`` or ``disentanglement``.
        resamples: Bootstrap resamples.
        batch_size: Images decoded at once.
        strip_steps: Images of a strip, odd so that the original is in the middle.
    """

    name: str
    seed: int
    num_paths: int
    num_latents: int
    prior_latents: int
    ranking_latents: int
    matrix_latents: int
    length: float
    changes: Sequence[float]
    pairs: int
    choose_by: str
    resamples: int
    batch_size: int
    strip_steps: int

    def __post_init__(self) -> None:
        for option in (
            "num_paths",
            "num_latents",
            "prior_latents",
            "ranking_latents",
            "matrix_latents",
            "pairs",
            "resamples",
            "batch_size",
        ):
            if getattr(self, option) < (2 if option in ("num_latents", "prior_latents") else 1):
                raise ValueError(
                    f"evaluation.{option} must be positive (num_latents, prior_latents at least 2), "
                    f"got {getattr(self, option)}"
                )
        if self.length <= 0 or not self.changes or 0 in self.changes:
            raise ValueError(
                f"evaluation.length must be above 0 and changes not 0, got {self.length} and {list(self.changes)}"
            )
        if self.strip_steps % 2 == 0:
            raise ValueError(
                f"evaluation.strip_steps must be odd, so that the original is in the middle, got {self.strip_steps}"
            )
        if self.choose_by not in ("correlation", "steepness", "disentanglement"):
            raise ValueError(
                "evaluation.choose_by must be one of ('correlation', 'steepness', 'disentanglement'), "
                f"got {self.choose_by!r}"
            )
