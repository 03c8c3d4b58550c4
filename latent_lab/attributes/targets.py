"""The choice of targets: the attributes that a generator really varies, and that do not stand for one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.gans.space import LatentSpace
from latent_lab.ops import circular
from latent_lab.ops.correlation import correlate
from latent_lab.ops.half_pixel import shift_half_pixel

RATIO = 12.0  # smallest span, in changes that a shift by half a pixel makes
SPAN = 0.2  # smallest span of a probability, and of what a shift does not move
CORRELATION = 0.6  # largest correlation of two targets
CLASS = "probability of a class"  # unit of the probabilities of several classes that exclude one another
UNMOVED = 1e-5  # of the span: a change below it is rounding


@dataclass(frozen=True)
class TargetChoice:
    """A choice of targets with the numbers behind it, see :func:`choose_targets`; A is the number of attributes.

    Arguments:
        names: The attributes.
        span: From the 1st to the 99th percentile over the prior, in each attribute's unit, with shape :math:`(A,)`.
        shift: Root mean square change by a shift of half a pixel, with shape :math:`(A,)`.
        correlation: Absolute correlations over the prior, with shape :math:`(A, A)`.
        verdicts: ``target``, or why it is none.
        measured: Samples on which everything could be measured.
        num: Samples drawn.
    """

    names: tuple[str, ...]
    span: Tensor
    shift: Tensor
    correlation: Tensor
    verdicts: tuple[str, ...]
    measured: int
    num: int

    @property
    def targets(self) -> list[str]:
        """Return the targets, in the attributes' order."""
        return [name for name, verdict in zip(self.names, self.verdicts) if verdict == "target"]

    @property
    def ratio(self) -> Tensor:
        """Return the span over the shift's change, with shape :math:`(A,)`; infinite where a shift changes nothing."""
        return (self.span / self.shift).where(self.shift > UNMOVED * self.span, torch.inf)

    def table(self) -> str:
        """Return the choice as a table in Markdown."""
        others = self.correlation.clone().fill_diagonal_(0)
        rows = [
            f"| {name} | {self.span[i]:.3g} | {self.shift[i]:.2g} | {self.ratio[i]:.3g} | "
            f"{others[i].max():.2f} {self.names[int(others[i].argmax())]} | {self.verdicts[i]} |"
            for i, name in enumerate(self.names)
        ]
        head = "| attribute | span, 1 to 99 % | change by half a pixel | ratio | correlates most | verdict |"
        return "\n".join([head, "|---|---|---|---|---|---|", *rows])


@torch.no_grad()
def choose_targets(
    space: LatentSpace,
    attributes: Attributes,
    num: int,
    rng: torch.Generator,
    batch_size: int = 128,
    among: Sequence[str] | None = None,
) -> TargetChoice:
    r"""Choose the attributes that enter a mean over attributes.

    1. *It varies*: over the prior it spans, from the 1st to the 99th percentile, at least 12 times the root mean square
       change that a shift of the image by half a pixel makes (:func:`~latent_lab.ops.half_pixel.shift_half_pixel`).
       The span of a probability, and of an attribute that a shift does not move (a true factor), must be at least 0.2
       as well.
    2. *It is a number on a line*: the probability of one class of several that exclude one another (a digit, a race) is
       none, nor is that of the likeliest class.
    3. *It stands for itself*: while two of those that are left correlate by more than 0.6 over the prior, take the pair
       that correlates most; the one whose squared correlations with all that are left have the larger sum leaves.

    Where images were drawn with known attributes, only these are asked (``among``): all else that is measured on the
    pixels is a function of several of them, which no correlation of a pair shows.

    Angles are taken the short way round their circular mean; their correlation is that of
    :func:`~latent_lab.ops.correlation.correlate`. A pixel is one of the generator's images.

    Arguments:
        space: The latent space whose prior is sampled.
        attributes: The predictor.
        num: Samples; some thousand, so that the choice does not hang on their seed.
        rng: Source of the samples.
        batch_size: Images decoded at once.
        among: The attributes that may be targets; None for all.

    Raises:
        ValueError: ``among`` names an attribute that is not measured, or fewer than two samples could be measured.

    Example:
        >>> from latent_lab.attributes.factors import TrueFactors
        >>> from latent_lab.gans.shapes import Shapes
        >>> found = choose_targets(Shapes().space(), TrueFactors(), 256, torch.Generator().manual_seed(0))
        >>> found.targets
        ['x', 'y', 'hue', 'rotation', 'background', 'size', 'aspect']
    """
    unknown = [name for name in among or () if name not in attributes.names]
    if unknown:
        raise ValueError(f"among must be names of {list(attributes.names)}, got {unknown}")
    before, changes = [], []
    for part in torch.arange(num).split(batch_size):
        codes = space.sample(len(part), rng)
        images = space.decode(codes).float()
        values = attributes.measure(space, codes, images)
        moved = [attributes.measure(space, codes, image) for image in shift_half_pixel(images)]
        before.append(values.double().cpu())
        changes.append(torch.stack([attributes.change(values, other) for other in moved], 1).double().cpu())
    values, change = torch.cat(before), torch.cat(changes)
    found = values.isfinite().all(1) & change.isfinite().all(2).all(1)
    if found.sum() < 2:
        raise ValueError(f"num must be so large that 2 samples can be measured, got {int(found.sum())} of {num}")
    values, change = values[found], change[found]
    periods = torch.tensor(attributes.periods, dtype=values.dtype)
    centred = attributes.change(circular.mean(values, periods).expand_as(values), values)
    low, high = torch.quantile(centred, torch.tensor([0.01, 0.99], dtype=values.dtype), 0)
    span, shift = high - low, change.square().mean((0, 1)).sqrt()
    correlation = correlate(values, periods)
    return TargetChoice(
        attributes.names,
        span,
        shift,
        correlation,
        tuple(judge(attributes.names, attributes.units, span, shift, correlation, among)),
        len(values),
        num,
    )


def judge(
    names: Sequence[str],
    units: Sequence[str],
    span: Tensor,
    shift: Tensor,
    correlation: Tensor,
    among: Sequence[str] | None = None,
) -> list[str]:
    """Return ``target`` for each attribute that the rule of :func:`choose_targets` keeps, else why it leaves.

    Arguments:
        names, units: The attributes.
        span, shift: Span over the prior and change by the shift, both with shape :math:`(A,)`.
        correlation: Absolute correlations, with shape :math:`(A, A)`.
        among: The attributes that are asked; None for all.

    Example:
        >>> span, shift = torch.tensor([5.0, 5.0, 5.0]), torch.tensor([0.1, 0.1, 1.0])
        >>> judge(("ink", "width", "x"), ("px",) * 3, span, shift, torch.eye(3))
        ['target', 'target', 'a shift moves it: 5.0 < 12']
    """
    verdicts = []
    for name, unit, size, moved in zip(names, units, span.tolist(), shift.tolist()):
        still = moved <= UNMOVED * size
        if among is not None and name not in among:
            verdicts.append("not asked")
        elif unit == CLASS:
            verdicts.append("a class, no number on a line")
        elif not still and size < RATIO * moved:
            verdicts.append(f"a shift moves it: {size / moved:.1f} < {RATIO:g}")
        elif (still or unit == "probability") and size < SPAN:
            verdicts.append(f"hardly varies: {size:.2g} < {SPAN:g}")
        else:
            verdicts.append("target")
    left = [i for i, verdict in enumerate(verdicts) if verdict == "target"]
    while len(left) > 1:
        among = correlation[left][:, left].clone().fill_diagonal_(0)
        pair = divmod(int(among.argmax()), len(left))
        if among[pair] <= CORRELATION:
            break
        leaves, stays = sorted(pair, key=lambda i: -among[i].square().sum().item())
        verdicts[left[leaves]] = f"correlates by {among[pair]:.2f} with {names[left[stays]]}"
        del left[leaves]
    return verdicts
