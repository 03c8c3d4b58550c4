"""From observations to scores with intervals, matrices and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.attributes.base import Attributes
from latent_lab.edits.moves import Moves
from latent_lab.edits.views import Pair, after_sequence, view_in_batches
from latent_lab.evaluation.bootstrap import Bootstrap
from latent_lab.evaluation.panels import sequence_images, strip_images
from latent_lab.evaluation.plan import Plan
from latent_lab.evaluation.protocol import RANKING, SHARES, Protocol
from latent_lab.evaluation.subject import Subject
from latent_lab.figures.page import Row
from latent_lab.gans.space import LatentSpace
from latent_lab.metrics.commutativity import commutativity_error
from latent_lab.metrics.edit_length import EditLength
from latent_lab.metrics.fields import BracketError, Curvature
from latent_lab.metrics.side_effects import EqualChangeSideEffects
from latent_lab.ops.streams import EVALUATION, stream
from latent_lab.paths.base import Paths

RESAMPLING = 3  # stream of the bootstrap
UNITS = {
    "commutativity/swap/latents": "of the edit",
    "commutativity/return/latents": "of the edit",
    "commutativity/swap/images": "grey level, -1 to 1",
    "commutativity/return/images": "grey level, -1 to 1",
    "commutativity/swap/attributes": "% of a standard deviation",
    "commutativity/return/attributes": "% of a standard deviation",
    "commutativity/swap/perceptual": "perceptual distance",
    "commutativity/return/perceptual": "perceptual distance",
    "round_trip/latents": "of the edit",
}


@dataclass
class Evaluation:
    """What an evaluation found.

    Arguments:
        scores: Means over latents with their intervals.
        matrices: Tables of numbers by name, each with its row and column names and unit.
        curves: Identity error over the change of the path's own attribute, a line for each chosen path.
        strips: Images of the chosen paths over shares of their amount, with shape :math:`(P, S, C, H, W)`.
        sequences: Images of sequential edits, with shape :math:`(Q, 5, C, H, W)`, and what each row shows.
    """

    protocol: Protocol
    plan: Plan
    attributes: list[str]
    scores: list[Row]
    matrices: dict[str, Matrix]
    curves: dict[str, list[tuple[float, float]]]
    strip_shares: list[float]
    strips: Tensor
    pairs: list[str]
    sequences: Tensor
    notes: list[str] = field(default_factory=list)

    def main_score(self) -> float:
        """Return the one number that searches of options minimise: the mean side effects at the smallest change, or the
        error of order in latents where no attribute is measured."""
        found = {score.name: score.mean for score in self.scores}
        effects = [found[name] for name in found if name.startswith("side_effects/") and name.endswith("/mean")]
        measured = [value for value in effects if value == value]
        return measured[-1] if measured else found["commutativity/swap/latents"]


@dataclass
class Matrix:
    """A named table: values :math:`(R, C)`, names of rows and columns, what they are, and the unit."""

    values: Tensor
    rows: list[str]
    columns: list[str]
    unit: str
    row_title: str
    column_title: str


@torch.no_grad()
def summarise(subject: Subject, plan: Plan, protocol: Protocol, found: Mapping[str, Tensor]) -> Evaluation:
    """Scores, matrices and pictures from the observations of all latents, a row a latent."""
    space, paths, attributes = subject.space, subject.paths, subject.attributes
    num = len(found["pair"])
    boot = Bootstrap(num, protocol.resamples, stream(protocol.seed, RESAMPLING, 0, EVALUATION))
    labels = [f"{pick.path} {pick.attribute}" for pick in plan.chosen]
    scores, notes = [], list(plan.notes)
    for name, unit in UNITS.items():
        if name in found:
            scores.append(
                boot.row(
                    name,
                    own_attributes(found, name, plan) if name.endswith("attributes") else found[name],
                    unit,
                    "lower",
                )
            )
    shell = EditLength(space, stream(protocol.seed, RANKING, 1, EVALUATION))
    outside = ((found["radius"] < shell.inner) | (found["radius"] > shell.outer)).double()
    scores += [
        boot.row("length/realised", found["length/realised"], "latent units", ""),
        boot.row("length/per_amount", found["length/per_amount"], "latent units", ""),
        boot.row("prior/radius_ratio", found["prior/radius_ratio"], "", ""),
        boot.row("prior/outside_99_shell", outside, "share", "lower"),
    ]
    scores += field_scores(space, paths, plan, protocol)
    scores += order_floor(space, attributes, plan, protocol)
    matrices = {"commutativity": order_matrix(space, paths, plan, protocol)}
    curves: dict[str, list[tuple[float, float]]] = {}
    if attributes is not None:
        notes += missing_images(found, plan)
        names = list(attributes.names)
        matrices |= pair_matrices(found, plan, labels)
        matrices["ranking"] = Matrix(
            torch.cat([plan.ranking[name][plan.paths] for name in plan.ranking], 1),
            labels,
            [f"{score} {name}" for score in plan.ranking for name in names],
            "",
            "path",
            "score",
        )
        for column, change in enumerate(protocol.changes):
            effect_rows, matrix = effects(found["change"][:, :, column], plan, names, float(change), boot)
            scores += effect_rows
            matrices[f"side_effects/{float(change):+g}"] = Matrix(matrix, labels, names, "%", "target", "changed")
            if found["identity"][:, :, column].isfinite().any():
                scores.append(
                    boot.row(f"identity/{float(change):+g}", found["identity"][:, :, column], "1 - cosine", "lower")
                )
        if found["identity"].isfinite().any():
            mean = found["identity"].nanmean(0)
            curves = {
                label: sorted([(0.0, 0.0), *[(float(c), v) for c, v in zip(protocol.changes, line.tolist()) if v == v]])
                for label, line in zip(labels, mean)
            }
    unmeasured = [score.name for score in scores if score.mean != score.mean]
    if unmeasured:
        notes.append(f"not measured, for nothing was reached: {', '.join(unmeasured)}")
    shares = torch.linspace(-1, 1, protocol.strip_steps).tolist()
    pairs, sequences = sequence_images(space, paths, plan, protocol, labels)
    return Evaluation(
        protocol=protocol,
        plan=plan,
        attributes=list(attributes.names) if attributes is not None else [],
        scores=scores,
        matrices=matrices,
        curves=curves,
        strip_shares=shares,
        strips=strip_images(space, paths, plan, protocol, shares),
        pairs=pairs,
        sequences=sequences,
        notes=notes,
    )


def missing_images(found: Mapping[str, Tensor], plan: Plan) -> list[str]:
    """A sentence on the edits whose images could not be measured, if there are any: a predictor may find no face."""
    single = found["change"][:, plan.equal.isfinite()].isnan().any(-1)
    if found["identity"].isfinite().any():
        single |= found["identity"][:, plan.equal.isfinite()].isnan()
    pairs = found["commutativity/swap/attributes"].isnan().any(-1) | found[
        "commutativity/return/attributes"
    ].isnan().any(-1)
    if not (single.any() or pairs.any()):
        return []
    return [
        f"{int(single.sum())} of {single.numel()} single edits and {int(pairs.sum())} of {pairs.numel()} pairs of "
        "edits could not be measured (a predictor found nothing in an image) and are left out of the means"
    ]


def own_attributes(found: Mapping[str, Tensor], name: str, plan: Plan) -> Tensor:
    """An attribute-level error narrowed to the two attributes of each pair, as the paper's table: :math:`(N, m, A)` to
    :math:`(N, m, 2)`."""
    return found[name].gather(2, plan.targets[found["pair"]])


def pair_matrices(found: Mapping[str, Tensor], plan: Plan, labels: list[str]) -> dict[str, Matrix]:
    """Mean attribute-level error of each ordered pair: in row k, column l, that of path k's attribute when k comes
    first, then l.

    In percent of its standard deviation and, as ``..._raw``, in its unit.
    """
    size = len(labels)
    cell = (found["pair"][..., 0] * size + found["pair"][..., 1]).flatten()
    matrices = {}
    for form in ("swap", "return"):
        error = own_attributes(found, f"commutativity/{form}/attributes", plan)[..., 0].flatten().double()
        measured = error.isfinite()
        count = torch.bincount(cell[measured], minlength=size * size)
        mean = torch.zeros(size * size, dtype=torch.float64).index_add_(0, cell[measured], error[measured]) / count
        mean = mean.unflatten(0, (size, size))
        raw = mean / 100 * plan.deviation[plan.targets][:, None]
        for name, values, unit in (
            ("", mean, "% of a standard deviation"),
            ("_raw", raw, "the row's attribute's own unit"),
        ):
            matrices[f"commutativity/{form}/attributes{name}"] = Matrix(
                values, labels, labels, unit, "attribute, first edit", "second edit"
            )
    return matrices


def effects(changes: Tensor, plan: Plan, names: list[str], change: float, boot: Bootstrap) -> tuple[list[Row], Tensor]:
    """Side effects :math:`(N, P, A)` at one change of the paths' own attributes: mean and worst entry, purity, and the
    matrix."""
    metric = EqualChangeSideEffects(plan.targets, len(names))
    metric.update(changes)
    matrix = metric.matrix()
    reached = matrix.isfinite().all(1)
    nan = float("nan")
    if not reached.any() or len(names) < 2:
        return [Row(f"side_effects/{change:+g}/mean", nan, nan, nan, len(changes), "%", "lower")], matrix
    resampled = [metric.off_diagonal(metric.matrix(index)) for index in boot.index]
    resampled = [values for values in resampled if len(values)]  # not of latents of which none was measured
    share = 100 / matrix[reached].sum(1)
    rows = [
        Row(
            f"side_effects/{change:+g}/mean",
            metric.compute().item(),
            *boot.interval(torch.stack([values.mean() for values in resampled])),
            len(changes),
            "%",
            "lower",
        ),
        Row(
            f"side_effects/{change:+g}/worst",
            metric.off_diagonal(matrix).max().item(),
            *boot.interval(torch.stack([values.max() for values in resampled])),
            len(changes),
            "%",
            "lower",
        ),
        Row(f"side_effects/{change:+g}/purity", share.mean().item(), nan, nan, len(changes), "share", "higher"),
        Row(
            f"side_effects/{change:+g}/reached",
            reached.double().mean().item(),
            nan,
            nan,
            len(changes),
            "share of paths",
            "higher",
        ),
    ]
    return rows, matrix


def field_scores(space: LatentSpace, paths: Paths, plan: Plan, protocol: Protocol) -> list[Row]:
    """Lie brackets of all pairs of chosen paths, and how much the paths turn: latents only."""
    device, chosen = space.device, plan.paths.to(space.device)
    codes = paths.anchor(space, space.sample(protocol.ranking_latents, stream(protocol.seed, RANKING, 0, EVALUATION)))
    first, second = torch.triu_indices(len(chosen), len(chosen), 1, device=device)
    num = len(codes)
    found = []
    if len(first):
        bracket = BracketError()
        every = codes.repeat(len(first))
        bracket.update(paths, every.latents, chosen[first].repeat(num), chosen[second].repeat(num), every.given)
        found.append(("bracket", bracket.compute(), "per unit of length", "lower"))
    unit = plan.amounts.mean().item() / protocol.length  # about one unit of length
    directions = paths.fan(codes.latents, 0.1 * unit, codes.given) - codes.latents[:, None]
    shares = torch.tensor([0.0, *SHARES], device=device).sort().values
    many = codes.repeat(len(chosen) * len(shares))
    k = chosen.repeat_interleave(len(shares)).repeat(num)
    eps = (plan.amounts.to(device)[chosen][:, None] * shares).flatten().repeat(num)
    points = paths.shift(many.latents, k, eps, many.given).unflatten(0, (num, len(chosen), len(shares)))
    curvature = Curvature()
    curvature.update(directions[:, chosen], points)
    turning = curvature.compute()
    for name, unit_of in (("spread", "1 - cosine"), ("bend", "1 - chord / arc")):
        found.append((f"curvature/{name}", turning[name].mean(), unit_of, ""))
    return [
        Row(name, value.item(), float("nan"), float("nan"), num, unit_of, better)
        for name, value, unit_of, better in found
    ]


def order_floor(space: LatentSpace, attributes: Attributes | None, plan: Plan, protocol: Protocol) -> list[Row]:
    """Error of exchanging two straight edits of the compared length: what rounding alone leaves. No edit at all scores
    exactly 0."""
    rng = stream(protocol.seed, RANKING, 3, EVALUATION)
    codes = space.sample(protocol.ranking_latents, rng)
    z = codes.latents
    one, other = (protocol.length * F.normalize(torch.randn(z.shape, generator=rng), dim=-1).to(z) for _ in range(2))
    kl, lk = (
        view_in_batches(space, codes.moved(end), attributes, None, protocol.batch_size)
        for end in (z + one + other, z + other + one)
    )
    errors = {"latents": commutativity_error(kl.latents, lk.latents, z), "images": (kl.images - lk.images).abs()}
    if attributes is not None:
        deviation = plan.deviation.to(z.device).clamp_min(1e-6)
        errors["attributes"] = 100 * attributes.change(kl.attributes, lk.attributes).abs() / deviation
    return [
        Row(
            f"floor/commutativity/{level}",
            error.double().nanmean().item(),
            *[float("nan")] * 2,
            len(z),
            UNITS[f"commutativity/swap/{level}"],
            "",
        )
        for level, error in errors.items()
    ]


def order_matrix(space: LatentSpace, paths: Paths, plan: Plan, protocol: Protocol) -> Matrix:
    """Relative error, in latents, of exchanging two edits of equal length, for all K x K pairs."""
    device = space.device
    codes = paths.anchor(space, space.sample(protocol.matrix_latents, stream(protocol.seed, RANKING, 0, EVALUATION)))
    num, size = len(codes), paths.num_paths
    amounts = plan.amounts.to(device)
    total = torch.zeros(size, size, dtype=torch.float64)
    rows = codes.repeat(size)
    other = torch.arange(size, device=device).repeat(num)
    for k in range(size):
        one = torch.full_like(other, k)
        moves, pair = Moves(rows, one, amounts[one]), Pair(one, other, amounts[one], amounts[other])
        error = commutativity_error(
            after_sequence(paths, moves, pair, "kl"), after_sequence(paths, moves, pair, "lk"), rows.latents
        )
        total[k] = error.unflatten(0, (num, size)).mean(0).cpu()
    names = [str(k) for k in range(size)]
    return Matrix(total, names, names, "of the edit", "first path", "second path")
