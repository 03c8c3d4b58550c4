"""Scores that cost a training or need something that not every data set has; each says why where it cannot be had."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from latent_lab.attributes.factors import TrueFactors
from latent_lab.evaluation.bootstrap import Bootstrap
from latent_lab.evaluation.protocol import PRIOR
from latent_lab.evaluation.score import Evaluation
from latent_lab.evaluation.subject import Subject
from latent_lab.figures.page import Row
from latent_lab.metrics.dvn import variation_naturalness
from latent_lab.metrics.held_out import held_out_accuracy
from latent_lab.metrics.path_choice import assign
from latent_lab.metrics.quality import path_quality
from latent_lab.metrics.recovery import FactorRecovery
from latent_lab.metrics.side_effects import purity
from latent_lab.ops.streams import EVALUATION, stream

NAN = float("nan")


def add_extras(result: Evaluation, subject: Subject, options: Mapping | None) -> None:
    """Add to the scores whatever of the extras can be had, and to the notes why the others cannot."""
    space, paths, attributes, identity = subject.space, subject.paths, subject.attributes, subject.identity
    plan, protocol = result.plan, result.protocol
    if attributes is not None and isinstance(getattr(attributes, "attributes", attributes), TrueFactors):
        add_recovery(result, subject)
    if not options:
        return
    amounts = plan.amounts.to(space.device)
    if options["held_out"]:
        held = options["held_out"]
        hits = held_out_accuracy(
            space, paths, held["reconstructor"], amounts, held["steps"], held["batch_size"], held["num"], protocol.seed
        )
        boot = Bootstrap(len(hits), protocol.resamples, stream(protocol.seed, PRIOR, 1, EVALUATION))
        result.scores.append(boot.row("rca/held_out", hits.cpu(), f"share, after {held['steps']} steps", "higher"))
    if options["naturalness"]:
        add_naturalness(result, subject, options["naturalness"])
    if options["quality"] and isinstance(identity, nn.Module) and type(identity).forward is not nn.Module.forward:
        curve = path_quality(
            space,
            paths,
            identity,
            amounts,
            list(options["quality"]["shares"]),
            options["quality"]["num"],
            protocol.batch_size,
            protocol.seed,
        )
        for share, mean, deviation in curve:
            name = f"quality/kid_{type(identity).__name__}/{share:g}"
            result.scores.append(
                Row(
                    name,
                    mean,
                    mean - 1.96 * deviation,
                    mean + 1.96 * deviation,
                    options["quality"]["num"],
                    "squared distance",
                    "lower",
                )
            )
    elif options["quality"]:
        result.notes.append("quality was not measured: this dataset has no feature network of images")


def add_naturalness(result: Evaluation, subject: Subject, options: Mapping) -> None:
    """Add DVN of each chosen path, if the real images are here: an evaluation fetches nothing."""
    space, data = subject.space, subject.data
    if data is None or not data.is_here:
        where = f"{data.folder} does not hold the images" if data is not None else "this dataset has none"
        result.notes.append(f"naturalness (DVN) was not measured: it needs real images, and {where}")
        return
    data.setup()
    expected = (space.generator.channels, space.generator.resolution, space.generator.resolution)
    if data.image_shape != expected:
        result.notes.append(
            f"naturalness (DVN) was not measured: it needs images of shape {expected}, "
            f"this dataset has {data.image_shape}"
        )
        return
    real = data.held_out_split()[0].to(space.device)
    values = [
        variation_naturalness(
            space,
            subject.paths,
            pick.path,
            pick.amount,
            real,
            result.protocol.seed,
            options["steps"],
            options["batch_size"],
            options["num"],
        )
        for pick in result.plan.chosen
    ]
    result.scores.append(
        Row(
            "naturalness/mean", sum(values) / len(values), NAN, NAN, options["num"], "accuracy, 0.5 is chance", "higher"
        )
    )
    result.scores.append(
        Row("naturalness/best", max(values), NAN, NAN, options["num"], "accuracy, 0.5 is chance", "higher")
    )


def add_recovery(result: Evaluation, subject: Subject) -> None:
    """Add exact scores against known factors: purity and side effects of matched paths at equal length, and of their
    coordinates."""
    space, paths, plan, protocol = subject.space, subject.paths, result.plan, result.protocol
    codes = paths.anchor(space, space.sample(protocol.prior_latents, stream(protocol.seed, PRIOR, 2, EVALUATION)))
    every = codes.repeat(paths.num_paths)
    k = torch.arange(paths.num_paths, device=every.latents.device).repeat(len(codes))
    moved = paths.shift(every.latents, k, plan.amounts.to(every.latents)[k], every.given)
    factors = space.generator.factors
    change = (factors(moved) - factors(every.latents)).abs().unflatten(0, (-1, paths.num_paths)).cpu()  # (N, K, A)
    attributes, matched = assign(purity(change.mean(0)))

    def own_share(mean: Tensor) -> Tensor:
        return purity(mean)[matched, attributes]

    boot = Bootstrap(len(change), min(protocol.resamples, 200), stream(protocol.seed, PRIOR, 3, EVALUATION))
    resampled = torch.stack([own_share(change[index].mean(0)) for index in boot.index])
    own, num = own_share(change.mean(0)), len(change)

    def side(share: Tensor) -> Tensor:
        return 100 * ((1 - share) / share.clamp_min(1e-6)).mean(-1)

    result.scores.append(
        Row("recovery/purity", own.mean().item(), *boot.interval(resampled.mean(1)), num, "share", "higher")
    )
    result.scores.append(
        Row("recovery/side_effects", side(own).item(), *boot.interval(side(resampled)), num, "%", "lower")
    )
    coordinates = paths.coordinates(codes.latents)
    if coordinates is None:
        result.notes.append(
            f"R2, DCI and MIG were not measured: {type(paths).__name__} are not the axes of coordinates"
        )
        return
    truth, coordinates = factors(codes.latents).cpu(), coordinates.cpu()
    metric = FactorRecovery()
    metric.update(coordinates, truth)
    result.scores += [
        Row(f"recovery/{name}", value, NAN, NAN, num, "", "higher") for name, value in metric.compute().items()
    ]
