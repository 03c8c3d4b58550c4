"""One protocol for every method: how far paths go, on which latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Protocol:
    """The rules of an evaluation (``evaluation=`` of the command line).

    Arguments:
        name: The evaluation's name in ``metrics.json``.
        seed: Seed of all latents, the same for all runs, so that methods are compared on the same images.
        targets: Attributes that scores are means over; None for all that are measured.
        num_paths: Paths that are shown and exchanged at most: the best one of each target, or the first ones where
            nothing is measured.
        num_latents: Latents of the scores.
        prior_latents: Latents that an attribute's standard deviation and range are measured on.
        ranking_latents: Latents that paths are chosen on.
        matrix_latents: Latents of the K x K matrix of commutativity.
        candidates: Paths of each target that are measured at equal change, before one of them is chosen.
        length: Realised length of an edit at which order is compared, in units of the latent.
        changes: Changes of a path's own attribute, in standard deviations, at which effects are compared.
        pairs: Ordered pairs of chosen paths that each latent is edited with; all pairs have their turn.
        resamples: Bootstrap resamples.
        batch_size: Images decoded at once.
        strip_steps: Images of a strip, odd so that the original is in the middle.
    """

    name: str
    seed: int
    targets: Sequence[str] | None
    num_paths: int
    num_latents: int
    prior_latents: int
    ranking_latents: int
    matrix_latents: int
    candidates: int
    length: float
    changes: Sequence[float]
    pairs: int
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
            "candidates",
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
        if self.targets is not None and (not self.targets or len(set(self.targets)) < len(self.targets)):
            raise ValueError(
                f"evaluation.targets must be different names, or null for all attributes, got {list(self.targets)}"
            )
        if self.strip_steps % 2 == 0:
            raise ValueError(
                f"evaluation.strip_steps must be odd, so that the original is in the middle, got {self.strip_steps}"
            )

    @property
    def sizes(self) -> list[float]:
        """Return the sizes of the changes, ascending: scores are means over both signs of each."""
        return sorted({abs(float(change)) for change in self.changes})
