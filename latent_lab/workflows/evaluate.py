"""Scores of any paths in any latent space, and the images that show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from latent_lab.data.edits import Pair, View, amounts_for_length, view_sequences
from latent_lab.data.moves import Moves, stream
from latent_lab.gans.space import Codes, LatentSpace
from latent_lab.metrics.commutativity import CommutativityError, commutativity_error
from latent_lab.metrics.edit_length import EditLength
from latent_lab.metrics.side_effects import assign_paths, side_effect_error
from latent_lab.paths.base import Paths
from latent_lab.pictures.report import Row

EVALUATION = 2  # purpose of the stream: neither training nor validation latents


class ChosenPath(NamedTuple):
    """A path worth looking at: the attribute that it changes most purely, and the amount that gives the compared length."""

    path: int
    attribute: str
    purity: float
    amount: float


@dataclass
class Evaluation:
    """What :func:`evaluate` found: scores, chosen paths, matrices and images."""

    scores: list[Row]
    chosen: list[ChosenPath]
    side_effects: Tensor | None  # (T, A) in percent, a row for each target attribute
    targets: list[str]
    attributes: list[str]
    commutativity: Tensor  # (P, P) over the chosen paths, relative, in latents
    strip_amounts: list[float]  # share of each path's amount
    strips: Tensor  # (P, S, C, H, W)
    pairs: list[str]  # the two edits of each row of sequences
    sequences: Tensor  # (Q, 5, C, H, W)
    length: float  # realised length of an edit, which methods are compared at


class StandardisedAttributes(nn.Module):
    """Attributes in units of their standard deviation over the prior."""

    def __init__(self, attributes: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.attributes = attributes
        self.register_buffer("deviation", attributes(images).std(0).clamp_min(1e-6))

    def forward(self, images: Tensor) -> Tensor:
        return self.attributes(images) / self.deviation


def bootstrap(values: Tensor, resamples: int, rng: torch.Generator) -> tuple[float, float]:
    """95 % percentile interval of the mean of ``values`` :math:`(N,)`."""
    index = torch.randint(len(values), (resamples, len(values)), generator=rng)
    low, high = values.double()[index].mean(1).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
    return low.item(), high.item()


def decode_in_batches(space: LatentSpace, codes: Codes, batch_size: int) -> Tensor:
    """Images of all codes, without a graph."""
    with torch.no_grad():
        return torch.cat([space.decode(codes.select(slice(i, i + batch_size))).float() for i in range(0, len(codes.latents), batch_size)])


def repeat(codes: Codes, times: int) -> Codes:
    """Every code ``times`` times, as a block a time."""
    return Codes(
        codes.latents.repeat(times, *[1] * (codes.latents.ndim - 1)),
        {name: value.repeat(times, *[1] * (value.ndim - 1)) for name, value in codes.given.items()},
    )


def along_all(paths: list[int], codes: Codes, amounts: Tensor | None = None) -> Moves:
    """Every path from every code: path-major, :math:`P \\cdot N` moves, of the paths' amounts (1 if None)."""
    num = len(codes.latents)
    k = torch.tensor(paths, device=codes.latents.device).repeat_interleave(num)
    eps = torch.ones(len(k), device=k.device) if amounts is None else amounts.to(k.device).repeat_interleave(num)
    return Moves(repeat(codes, len(paths)), k, eps)


def choose_paths(change: Tensor, names: list[str], num_paths: int) -> list[tuple[int, int]]:
    """The attributes' assigned paths first, purest first, then the purest of the rest; pairs of path and attribute."""
    purity = change / change.sum(1, keepdim=True).clamp_min(1e-12)
    attributes, paths = assign_paths(change)
    chosen = sorted(zip(paths.tolist(), attributes.tolist()), key=lambda pair: -purity[pair])
    used = {path for path, _ in chosen}
    rest = [(int(path), int(purity[path].argmax())) for path in purity.amax(1).argsort(descending=True) if int(path) not in used]
    return (chosen + rest)[:num_paths]


@torch.no_grad()
def evaluate(
    space: LatentSpace,
    paths: Paths,
    attributes: nn.Module | None,
    *,
    seed: int,
    num_paths: int,
    num_latents: int,
    ranking_latents: int,
    length: float,
    resamples: int,
    batch_size: int,
    strip_steps: int,
) -> Evaluation:
    """Scores paths at one realised length for all, so that methods are compared at equal edits.

    Arguments:
        space, paths: What is scored.
        attributes: Measures images; None leaves out attribute scores, and paths are chosen by how much they change the image.
        seed: Seed of the latents, which no training drew.
        num_paths: Paths that are chosen for image scores and pictures.
        num_latents: Latents of the scores.
        ranking_latents: Latents that all K paths are ranked on.
        length: Realised length of an edit in units of the latent.
        resamples: Bootstrap resamples.
        batch_size: Images decoded at once.
        strip_steps: Images of a strip, odd so that the original is in the middle.
    """
    if min(num_paths, num_latents, ranking_latents, resamples, batch_size) < 1 or num_latents < 2 or length <= 0:
        raise ValueError(
            "evaluation.num_paths, num_latents (at least 2), ranking_latents, resamples, batch_size and length must be positive"
        )
    if strip_steps % 2 == 0:
        raise ValueError(f"evaluation.strip_steps must be odd, so that the original is in the middle, got {strip_steps}")
    rng = stream(seed, 0, 0, EVALUATION)
    codes = space.sample(num_latents, rng)
    originals = decode_in_batches(space, codes, batch_size)
    scaled = StandardisedAttributes(attributes, originals) if attributes is not None else None
    names = list(attributes.names) if attributes is not None else ["image"]

    # the amount of each path whose mean realised length is the compared one
    ranking = codes.select(slice(0, ranking_latents))
    everything = along_all(list(range(paths.num_paths)), ranking)
    reached = amounts_for_length(space, paths, everything, torch.full_like(everything.eps, length))
    amounts = reached.unflatten(0, (paths.num_paths, -1)).mean(1)

    # which path is which attribute
    moved = everything.codes.moved(paths.shift(everything.codes.latents, everything.k, amounts[everything.k]))
    edited = decode_in_batches(space, moved, batch_size)
    before = originals[: len(ranking.latents)].repeat(paths.num_paths, 1, 1, 1)
    difference = scaled(edited) - scaled(before) if scaled else (edited - before).abs().flatten(1).mean(1, keepdim=True)
    change = difference.abs().unflatten(0, (paths.num_paths, -1)).mean(1)
    picks = choose_paths(change, names, min(num_paths, paths.num_paths))
    purity = change / change.sum(1, keepdim=True).clamp_min(1e-12)
    chosen = [ChosenPath(path, names[attribute], purity[path, attribute].item(), amounts[path].item()) for path, attribute in picks]

    # the chosen paths from every latent, each with another chosen one
    indices = [pick.path for pick in chosen]
    moves = along_all(indices, codes, amounts[indices])
    offset = torch.randint(1, max(2, len(indices)), (len(moves.k),), generator=rng).to(moves.k.device)
    position = torch.arange(len(indices), device=moves.k.device).repeat_interleave(num_latents)
    others = torch.tensor(indices, device=moves.k.device)[(position + offset) % len(indices)]
    pair = Pair(moves.k, others, moves.eps, amounts[others])
    views = views_in_batches(space, paths, moves, pair, ("k", "kl", "lk", "klKL"), scaled, batch_size)

    scores = []

    def score(name: str, values: Tensor, unit: str, better: str) -> None:
        per_latent = values.unflatten(0, (len(indices), num_latents)).double().mean(0).cpu()
        scores.append(Row(name, per_latent.mean().item(), *bootstrap(per_latent, resamples, rng), num_latents, unit, better))

    levels = {"latents": "of the edit", "images": "grey level, -1 to 1"} | ({"attributes": "standard deviations"} if scaled else {})
    for form in CommutativityError.forms:
        for level, unit in levels.items():
            metric = CommutativityError(level, form)
            metric.update(views, pair)
            score(f"commutativity/{form}/{level}", metric.values(), unit, "lower")
    realised = torch.linalg.vector_norm((space.visible(views["k"].latents) - space.visible(views[""].latents)).flatten(1), dim=1)
    score("length/realised", realised, "latent units", "")
    score("length/per_amount", realised / moves.eps.abs(), "latent units", "")
    shell = EditLength(space, stream(seed, 0, 1, EVALUATION))
    radius = space.radius(views["k"].latents)
    score("prior/radius_ratio", radius / space.radius(views[""].latents), "", "")
    score("prior/outside_99_shell", ((radius < shell.inner) | (radius > shell.outer)).double(), "share", "lower")

    matrix, targets = None, []
    if scaled:
        per_latent = (views["k"].attributes - views[""].attributes).abs().unflatten(0, (len(indices), num_latents)).cpu()  # (P, N, A)
        change = per_latent.mean(1)
        which, rows = assign_paths(change)
        matrix, targets = side_effect_error(change, which, rows), [names[i] for i in which]
        draws = torch.randint(num_latents, (resamples, num_latents), generator=rng)
        off = torch.ones_like(matrix, dtype=torch.bool).scatter_(1, which[:, None], False)
        resampled = torch.stack([side_effect_error(per_latent[:, draw].mean(1), which, rows)[off].mean() for draw in draws])
        low, high = resampled.double().quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
        scores.append(Row("side_effects/mean", matrix[off].mean().item(), low, high, num_latents, "%", "lower"))
        best = change[rows, which] / change[rows].sum(1)
        scores.append(Row("side_effects/purity", best.mean().item(), float("nan"), float("nan"), num_latents, "share", "higher"))

    names_of = {pick.path: pick.attribute for pick in chosen}
    shown = [position * num_latents + position for position in range(min(len(indices), num_latents, 4))]  # another latent for each row
    shares = torch.linspace(-1, 1, strip_steps).tolist()
    return Evaluation(
        scores=scores,
        chosen=chosen,
        side_effects=matrix,
        targets=targets,
        attributes=names if scaled else [],
        commutativity=commutativity_matrix(paths, indices, amounts, ranking),
        strip_amounts=shares,
        strips=strip_images(space, paths, chosen, codes, shares, batch_size),
        pairs=[
            f"1: path {moves.k[row]}, {names_of[int(moves.k[row])]}\n2: path {others[row]}, {names_of[int(others[row])]}" for row in shown
        ],
        sequences=torch.stack([views[name].images[shown] for name in ("", "k", "kl", "lk", "klKL")], 1).cpu(),
        length=length,
    )


def views_in_batches(
    space: LatentSpace, paths: Paths, moves: Moves, pair: Pair, sequences: tuple[str, ...], attributes: nn.Module | None, batch_size: int
) -> Mapping[str, View]:
    """:func:`view_sequences`, a batch at a time."""
    parts = []
    for i in range(0, len(moves.k), batch_size):
        cut = slice(i, i + batch_size)
        parts.append(
            view_sequences(
                space,
                paths,
                Moves(moves.codes.select(cut), moves.k[cut], moves.eps[cut]),
                Pair(*[value[cut] for value in pair]),
                sequences,
                attributes,
            )
        )
    return {
        name: View(*[None if values[0] is None else torch.cat(values) for values in zip(*[part[name] for part in parts])])
        for name in parts[0]
    }


def commutativity_matrix(paths: Paths, indices: list[int], amounts: Tensor, codes: Codes) -> Tensor:
    """Mean relative error of exchanging two edits, for all pairs of the given paths, with shape :math:`(P, P)`."""
    num = len(codes.latents)
    k = torch.tensor(indices, device=codes.latents.device)
    first, second = k.repeat_interleave(len(k) * num), k.repeat(len(k)).repeat_interleave(num)
    latents = repeat(codes, len(k) ** 2).latents

    def after(one: Tensor, two: Tensor) -> Tensor:
        return paths.shift(paths.shift(latents, one, amounts[one]), two, amounts[two])

    return commutativity_error(after(first, second), after(second, first), latents).unflatten(0, (len(k), len(k), num)).mean(2).cpu()


def strip_images(space: LatentSpace, paths: Paths, chosen: list[ChosenPath], codes: Codes, shares: list[float], batch_size: int) -> Tensor:
    """Images of each chosen path over shares of its amount, from one latent for all, with shape :math:`(P, S, C, H, W)`."""
    one = repeat(codes.select(slice(0, 1)), len(chosen) * len(shares))
    k = torch.tensor([pick.path for pick in chosen], device=one.latents.device).repeat_interleave(len(shares))
    eps = torch.tensor([share * pick.amount for pick in chosen for share in shares], device=one.latents.device)
    return (
        decode_in_batches(space, one.moved(paths.shift(one.latents, k, eps, one.given)), batch_size)
        .unflatten(0, (len(chosen), len(shares)))
        .cpu()
    )
