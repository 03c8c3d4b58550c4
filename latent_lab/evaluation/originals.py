"""Unedited samples of an evaluation's draw, and what is measured on them: the same for all paths."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from latent_lab.attributes.base import Attributes
from latent_lab.edits.views import measure_in_batches
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.subject import Subject
from latent_lab.gans.codes import Codes
from latent_lab.gans.space import LatentSpace
from latent_lab.metrics.base import PRIOR, RANKING
from latent_lab.metrics.edit_length import find_shell
from latent_lab.ops.circular import deviation, mean
from latent_lab.ops.streams import EVALUATION, stream
from latent_lab.runs import hash_weights

KEPT = 8  # draws, in memory
MEASURED: dict[str, dict[str, Tensor]] = {}  # by what they depend on
VERSION = 1  # of the yardstick's definitions; scores of two versions are not compared


@dataclass(frozen=True)
class Originals:
    """Measurements of unedited samples of the prior.

    Arguments:
        prior: All attributes of samples that were measured, with shape :math:`(M, A)`.
        judged: The same samples by the judges, with shape :math:`(M, J)`; J is 0 where there are none.
        ranking: All attributes of the ranking latents, with shape :math:`(R, A)`.
        unmeasured: Number of samples that could not be measured.
        shell: Smallest and largest radius of the shell that holds 99.9 % of the prior.
        periods: Full turn of each attribute that is an angle; 0 for the others.
    """

    prior: Tensor
    judged: Tensor
    ranking: Tensor
    unmeasured: int
    shell: tuple[float, float]
    periods: tuple[float, ...]

    @property
    def deviation(self) -> Tensor:
        """Standard deviation of each attribute over the prior, with shape :math:`(A,)`; of angles, the circular one.

        It is 0 for an attribute that varies by rounding alone.
        """
        return suppress_rounding(deviation(self.prior, self.periods))

    def asked(self, before: Tensor, columns: Tensor, changes: Tensor, attributes: Attributes) -> Tensor:
        """Return which latents are asked for which changes, with shape :math:`(N, Q, C)`: those whose attribute, after
        the change, would still lie between its 1st and 99th percentile over the prior.

        Arguments:
            before: All attributes of the latents' images, with shape :math:`(N, A)`.
            columns: The attribute of each of Q edits.
            changes: Wanted changes in deviations, with shape :math:`(C,)`.
            attributes: Tells which attributes are angles; they are measured from their circular mean.
        """
        centre = mean(self.prior, self.periods)
        away = attributes.change(centre.expand_as(self.prior), self.prior)
        low, high = torch.nanquantile(away.double(), torch.tensor([0.01, 0.99], dtype=torch.float64), dim=0).to(away)
        ends = before.cpu()[:, None] + changes.cpu()[None, :, None] * self.deviation  # (N, C, A)
        ends = attributes.change(centre.expand_as(ends), ends)
        inside = (ends >= low) & (ends <= high)  # false where the latent could not be measured
        return inside[:, :, columns.cpu()].transpose(1, 2)


def suppress_rounding(deviations: Tensor) -> Tensor:
    """Return deviations with 0 in place of those that are rounding."""
    return deviations.where(deviations > 1e-6, torch.zeros_like(deviations))


def sample(space: LatentSpace, protocol: Protocol, kind: int, first: int, num: int) -> Codes:
    """Return ``num`` codes of one kind (``PRIOR``, ``RANKING``, ``SCORING``) of the evaluation's draw."""
    return space.sample(num, stream(protocol.seed, kind, first, EVALUATION))


def measure_originals(subject: Subject, protocol: Protocol) -> Originals:
    """Return what is measured on the samples of a draw. It is kept in memory, for all paths of a generator share it.

    Raises:
        ValueError: Fewer than two samples of the prior could be measured.
    """
    space, attributes = subject.space, subject.attributes
    if attributes is None:
        empty = torch.zeros(0, 0)
        return Originals(empty, empty, empty, 0, find_shell(space, protocol.seed), ())
    key = key_of_originals(subject, protocol)
    if key not in MEASURED:
        while len(MEASURED) >= KEPT:
            MEASURED.pop(next(iter(MEASURED)))
        MEASURED[key] = measure(subject, attributes, protocol)
    tensors = MEASURED[key]
    found = tensors["prior"]
    measured = found[:, find_columns(attributes, protocol.targets)].isfinite().all(1)
    if measured.sum() < 2:
        raise ValueError(
            f"evaluation: {len(found) - int(measured.sum())} of {len(found)} samples could not be measured; "
            "truncate or take another dataset="
        )
    inner, outer = tensors["shell"].tolist()
    return Originals(
        found[measured],
        tensors["judged"][measured],
        tensors["ranking"],
        len(found) - int(measured.sum()),
        (inner, outer),
        tuple(attributes.periods),
    )


def find_columns(attributes: Attributes, targets: Sequence[str] | None) -> Tensor:
    """Return the columns of the targets among all attributes; all of them where ``targets`` is None.

    Raises:
        ValueError: A target is not measured.
    """
    names = list(attributes.names)
    unknown = [name for name in targets or () if name not in names]
    if unknown:
        raise ValueError(f"evaluation.targets must be among {names}, got {list(targets or ())}")
    return torch.tensor([names.index(name) for name in (names if targets is None else targets)])


@torch.no_grad()
def measure(subject: Subject, attributes: Attributes, protocol: Protocol) -> dict[str, Tensor]:
    """Decode the samples of a draw, and measure them."""
    space = subject.space

    def read(kind: int, num: int, predictor: Attributes) -> Tensor:
        codes = sample(space, protocol, kind, 0, num)
        return measure_in_batches(space, codes, predictor, protocol.batch_size).cpu()

    judged = torch.zeros(protocol.prior_latents, 0)
    if subject.judges is not None:
        judged = read(PRIOR, protocol.prior_latents, subject.judges)
    return {
        "prior": read(PRIOR, protocol.prior_latents, attributes),
        "judged": judged,
        "ranking": read(RANKING, protocol.ranking_latents, attributes),
        "shell": torch.tensor(find_shell(space, protocol.seed), dtype=torch.float64),
    }


def describe_predictor(predictor: nn.Module | None) -> list[str]:
    """Return what tells one predictor from another: its classes, their plain options, and its weights."""
    if predictor is None:
        return []
    parts = []
    for part in predictor.modules():
        options = {name: value for name, value in vars(part).items() if isinstance(value, str | int | float | tuple)}
        parts.append(f"{type(part).__module__}.{type(part).__qualname__} {sorted(options.items())}")
    return [*parts, *getattr(predictor, "names", ()), hash_weights(predictor)]


def key_of_originals(subject: Subject, protocol: Protocol) -> str:
    """Return a name of all that the measured samples depend on."""
    space = subject.space
    told = [
        hash_weights(space.generator),
        space.name,
        {name: str(value) for name, value in space.sampling.items()},
        describe_predictor(subject.attributes),
        describe_predictor(subject.judges),
        [protocol.seed, protocol.prior_latents, protocol.ranking_latents],
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]


def hash_rules(subject: Subject, protocol: Protocol) -> str:
    """Return twelve hexadecimal digits of the rules of an evaluation, whatever its draw: scores with different ones are
    not compared."""
    rules = asdict(protocol)
    for free in ("name", "seed", "batch_size", "strip_steps", "resamples"):
        del rules[free]
    told = [VERSION, rules, describe_predictor(subject.attributes), describe_predictor(subject.judges)]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=list).encode()).hexdigest()[:12]
