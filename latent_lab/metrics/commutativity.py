"""The effect of the order of two edits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from latent_lab.metrics.base import Matrix, Measurement, Picture, Score, Setting
from latent_lab.metrics.views import Views


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
        difference: Subtracts the first of two tensors of attributes from the second (the short way round for angles).
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


class Commutativity(Measurement):
    """The effect of the order of two edits of equal length, in latents, images, attributes and by a perceptual
    distance; each as ``swap`` and as ``return``, see :class:`CommutativityError`.

    Attributes are in percent of their standard deviation over the prior; scores are of the two attributes that a pair's
    paths stand for, matrices of the first one's, for each ordered pair.
    """

    needs = ("", "kl", "lk", "klKL")
    units = {
        "latents": "of the edit",
        "images": "grey level, -1 to 1",
        "attributes": "% of a standard deviation",
        "perceptual": "perceptual distance",
    }
    pictures = {
        "order": Picture(
            "Change of the first edit's attribute that is left after two edits were undone in the order in which they "
            "were made.",
            "change that is left after two edits were undone in the order in which they were made",
        )
    }

    def observe(self, views: Views) -> dict[str, Tensor]:
        subject, found = views.subject, {}
        measured = subject.attributes is not None and views.deviation is not None
        if views.positions is not None:
            found["pair"] = views.positions
        for form in CommutativityError.forms:
            for level in CommutativityError.levels[: 3 if measured else 2]:
                metric = CommutativityError(level, form, subject.attributes.change if measured else None)
                metric.to(views[""].latents.device).update(views, views.pair)
                error = metric.values()
                if level == "attributes":
                    error = 100 * error / views.deviation.clamp_min(1e-6)
                found[f"{form}/{level}"] = views.by_latent(error)
            if subject.perceptual is not None:
                one, other = ("kl", "lk") if form == "swap" else ("klKL", "")
                distance = subject.perceptual(views[one].images, views[other].images).flatten()
                found[f"{form}/perceptual"] = views.by_latent(distance)
        return found

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        scores = []
        for level, unit in self.units.items():
            for name in (f"{form}/{level}" for form in CommutativityError.forms):
                if name in observed:
                    values = own_attributes(observed, name, setting) if level == "attributes" else observed[name]
                    scores.append(setting.bootstrap.score(f"commutativity/{name}", values, unit, "lower"))
        return scores

    def matrices(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Matrix]:
        """Mean attribute-level error of each ordered pair: in row k, column l, that of path k's attribute when k comes
        first, then l.

        In percent of its standard deviation and, as ``..._raw``, in its unit.
        """
        if "swap/attributes" not in observed:
            return {}
        plan = setting.plan
        labels, size = plan.labels, len(plan.labels)
        cell = (observed["pair"][..., 0] * size + observed["pair"][..., 1]).flatten()
        matrices = {}
        for form in CommutativityError.forms:
            error = own_attributes(observed, f"{form}/attributes", setting)[..., 0].flatten().double()
            measured = error.isfinite()
            count = torch.bincount(cell[measured], minlength=size * size)
            total = torch.zeros(size * size, dtype=torch.float64).index_add_(0, cell[measured], error[measured])
            mean = (total / count).unflatten(0, (size, size))
            raw = mean / 100 * plan.deviation[plan.targets][:, None]
            shown = "order" if form == "return" else ""
            for name, values, unit, picture in (
                ("", mean, "% of a standard deviation", shown),
                ("_raw", raw, "the row's attribute's own unit", ""),
            ):
                matrices[f"commutativity/{form}/attributes{name}"] = Matrix(
                    values, labels, labels, unit, "attribute, first edit", "second edit", picture
                )
        return matrices

    def left_out(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Tensor]:
        if "swap/attributes" not in observed:
            return {}
        one, other = (observed[f"{form}/attributes"].isnan().any(-1) for form in CommutativityError.forms)
        return {"pairs of edits": one | other}

    def notes(self, observed: Mapping[str, Tensor], setting: Setting) -> list[str]:
        if setting.subject.perceptual is not None:
            return []
        reason = setting.subject.absent.get("perceptual", "evaluation.perceptual names no network")
        return [f"perceptual distances were not measured: {reason}"]


def own_attributes(observed: Mapping[str, Tensor], name: str, setting: Setting) -> Tensor:
    """Narrow an attribute-level error to the two attributes of each pair, as the paper's table: :math:`(N, M, A)` to
    :math:`(N, M, 2)`."""
    return observed[name].gather(2, setting.plan.targets[observed["pair"]])
