"""The effect of the order of two edits."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from latent_lab.metrics.base import Matrix, Measurement, Picture, Score, Setting
from latent_lab.metrics.views import Views

FORMS = {"swap": ("kl", "lk", ""), "return": ("", "klKL", "kl")}  # the two that should agree; from where the edit is


def relative_distance(one: Tensor, other: Tensor, start: Tensor) -> Tensor:
    r"""Return the distance between two results relative to the edit, :math:`\|a - b\| / \|a - o\|`, with shape
    :math:`(N,)`; nan where nothing was edited."""
    edit = torch.linalg.vector_norm((one - start).flatten(1), dim=1)
    return torch.linalg.vector_norm((one - other).flatten(1), dim=1) / edit


def additivity_error(both: Tensor, one: Tensor, other: Tensor, original: Tensor) -> Tensor:
    r"""Return how far two edits are from adding up, with shape :math:`(N,)`.

    .. math:: \frac{\|x_{kl} - x_k - x_l + x\|}{\|x_{kl} - x\|}

    It is 0 where the change of the image by both edits is the sum of the changes by each, and nan where both change
    nothing.

    Arguments:
        both, one, other, original: Images after both edits, after each alone, and before, with shape :math:`(N, C, H,
            W)`.
    """
    left = (both - one - other + original).flatten(1)
    return torch.linalg.vector_norm(left, dim=1) / torch.linalg.vector_norm((both - original).flatten(1), dim=1)


class Commutativity(Measurement):
    r"""The effect of the order of two edits of equal length, in latents, images and the targets' attributes, relative
    to the double edit's own change, and by a perceptual distance; medians over latents and pairs.

    ``swap``: :math:`\phi_l \phi_k z` against :math:`\phi_k \phi_l z`. ``return``: :math:`\phi_l^{-1} \phi_k^{-1} \phi_l
    \phi_k z` against z, the error of the paper's table. A median, for the ratio has a heavy tail where two edits nearly
    cancel. :func:`additivity_error` of the images stands beside them: what a person means by independent edits.
    Matrices are of the attribute of the first edit, in percent of its standard deviation over the prior.

    References:
        | Deep Curvilinear Editing (Aoshima & Matsubara, 2023), Table 2
        | https://arxiv.org/abs/2211.14573
    """

    needs = ("", "k", "l", "kl", "lk", "klKL")
    units = {"latents": "of the edit", "images": "of the edit", "attributes": "of the edit"}
    pictures = {
        "order": Picture(
            "Change of the first edit's attribute that is left after two edits were undone in the order in which they "
            "were made.",
            "change that is left after two edits were undone in the order in which they were made",
        )
    }

    def observe(self, views: Views) -> dict[str, Tensor]:
        subject, found = views.subject, {}
        attributes, deviation = subject.attributes, views.deviation
        if views.positions is not None:
            found["pair"] = views.positions
        for form, (one, other, start) in FORMS.items():
            a, b, o = views[one], views[other], views[start]
            found[f"{form}/latents"] = relative_distance(a.latents, b.latents, o.latents)
            found[f"{form}/images"] = relative_distance(a.images, b.images, o.images)
            if attributes is not None and deviation is not None:
                unit = deviation.where(deviation > 0, torch.full_like(deviation, float("inf")))
                ends = [seen.require_attributes() for seen in (a, b, o)]
                error, edit = attributes.change(ends[0], ends[1]) / unit, attributes.change(ends[2], ends[0]) / unit
                sizes = [torch.linalg.vector_norm(part[:, views.columns], dim=1) for part in (error, edit)]
                found[f"{form}/attributes"], found[f"{form}/percent"] = sizes[0] / sizes[1], 100 * error.abs()
            if subject.perceptual is not None:
                found[f"{form}/perceptual"] = subject.perceptual(a.images, b.images).flatten()
        images = [views[name].images for name in ("kl", "k", "l", "")]
        found["additivity"] = additivity_error(*images)
        return {name: values if name == "pair" else views.by_latent(values) for name, values in found.items()}

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        scores = []
        for level, unit in {**self.units, "perceptual": "perceptual distance"}.items():
            for name in (f"{form}/{level}" for form in FORMS):
                if name in observed:
                    scores.append(setting.bootstrap.median(f"commutativity/{name}", observed[name], unit, "lower"))
        return [*scores, setting.bootstrap.median("additivity/images", observed["additivity"], "of the edit", "lower")]

    def matrices(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Matrix]:
        """Mean attribute-level error of each ordered pair: in row k, column l, that of path k's attribute when k comes
        first, then l.

        In percent of its standard deviation and, as ``..._raw``, in its unit.
        """
        if "swap/percent" not in observed:
            return {}
        plan = setting.plan
        labels, size = plan.labels, len(plan.labels)
        cell = (observed["pair"][..., 0] * size + observed["pair"][..., 1]).flatten()
        own = plan.targets[observed["pair"][..., :1]]
        matrices = {}
        for form in FORMS:
            error = observed[f"{form}/percent"].gather(2, own).flatten().double()
            measured = error.isfinite()
            count = torch.bincount(cell[measured], minlength=size * size)
            total = torch.zeros(size * size, dtype=torch.float64).index_add_(0, cell[measured], error[measured])
            mean = (total / count).unflatten(0, (size, size))
            raw = mean / 100 * plan.measured.deviation[plan.targets][:, None]
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
        one, other = (observed[f"{form}/attributes"].isnan() for form in FORMS)
        return {"pairs of edits": one | other}

    def notes(self, observed: Mapping[str, Tensor], setting: Setting) -> list[str]:
        if setting.subject.perceptual is not None:
            return []
        reason = setting.subject.absent.get("perceptual", "evaluation.perceptual names no network")
        return [f"perceptual distances were not measured: {reason}"]
