"""The headline of the yardstick: how much of what an edit changes is the attribute that it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from latent_lab.metrics.base import Matrix, Measurement, Picture, Score, Setting
from latent_lab.metrics.bootstrap import Resample, score_resamples
from latent_lab.metrics.views import Views


def selectivity_of(change: Tensor, reached: Tensor, own: Tensor, targets: Tensor, deviation: Tensor) -> Tensor:
    r"""Return the selectivity of each edit, with shape :math:`(N, Q, C)`.

    .. math:: s = \frac{|d_k|}{\sum_{j \in T} |d_j|}

    with the changes d of the targets T in standard deviations over the prior, where edit k has changed its own
    attribute by the wanted change; 0 where it did not reach that. Targets that do not vary do not count.

    Arguments:
        change: Changes of all attributes in their units, with shape :math:`(N, Q, C, A)`.
        reached: Which edits reached the wanted change, with shape :math:`(N, Q, C)`.
        own: Column of each candidate's own attribute, with shape :math:`(Q,)`.
        targets: Columns of the targets, with shape :math:`(T,)`.
        deviation: Deviations of all attributes over the prior, with shape :math:`(A,)`.
    """
    varying = deviation > 0
    standard = change.double().abs() / deviation.double().where(varying, torch.ones_like(deviation).double())
    total = standard[..., targets[varying[targets]]].sum(-1)
    index = own[None, :, None, None].expand(*standard.shape[:3], 1)
    share = standard.gather(3, index)[..., 0] / total
    return share.where(reached & varying[own][None, :, None] & share.isfinite(), torch.zeros_like(share))


def mean_where(values: Tensor, counted: Tensor) -> Tensor:
    """Return the mean over latents :math:`(N, \\dots)` of the values that count; nan where none does."""
    weights = counted.to(values)
    return (values.where(counted, torch.zeros_like(values)) * weights).sum(0) / weights.sum(0)


def mean_over_signs(values: Tensor, changes: Sequence[float], size: float) -> Tensor:
    """Return the mean over the changes of one size, with shape :math:`(\\dots)` from :math:`(\\dots, C)`; nan ones do
    not count."""
    return values[..., [abs(float(change)) == size for change in changes]].nanmean(-1)


class Selectivity(Measurement):
    """Selectivity at equal change, see :func:`selectivity_of`: the mean over the latents that were asked, then over
    both signs of a change, then over the targets; a target without a path counts 0.

    Both of its factors stand beside it: the share of the asked edits that were reached, and the selectivity where they
    were. ``named`` is that of the paths that the method made for the targets, and ``judge`` is measured, on the same
    edits, by predictors that no method was trained on; an edit that these see go the wrong way counts 0.
    """

    needs = ("equal",)
    pictures = {
        "selectivity": Picture(
            "Share of each target (columns) in all that changes when a path has changed its own target (rows) by the "
            "smallest change.",
            "what else changes at the smallest equal change",
        )
    }

    def observe(self, views: Views) -> dict[str, Tensor]:
        equal = views.equal
        return {"change": equal.change, "outcome": equal.outcome, "asked": equal.asked, "judged": equal.judged}

    def scores(self, observed: Mapping[str, Tensor], setting: Setting) -> list[Score]:
        def statistics(resample: Resample) -> dict[str, float]:
            return self.measure(observed, setting, resample)

        def kinds(name: str) -> tuple[str, str]:
            if name.endswith("/asked"):
                return "share of latents", ""
            if name.rsplit("/", 1)[-1] in ("not_found", "not_measured", "outside"):
                return "share of the asked", ""
            return "share of the asked" if name.endswith("/reached") else "share", "higher"

        values = statistics(setting.resamples[0])

        def reached(name: str) -> float:  # what was not reached counts 0, but here
            return values[name.replace("where_reached", "reached")] if name.endswith("/where_reached") else 1.0

        return score_resamples(statistics, setting.resamples, len(observed["change"]), kinds, reached)

    def measure(self, observed: Mapping[str, Tensor], setting: Setting, resample: Resample) -> dict[str, float]:
        """Return all numbers by their names, of one redraw of the latents."""
        measured, protocol = setting.plan.measured, setting.protocol
        changes, own, targets = list(protocol.changes), measured.wanted.attributes, measured.columns
        varying = resample.deviation[targets] > 0
        if not varying.any():
            return {f"selectivity/{size:g}": float("nan") for size in protocol.sizes}
        rows = {"": resample.positions}
        if (measured.named >= 0).any():
            rows["/named"] = measured.named
        outcome, asked = observed["outcome"][resample.scoring], observed["asked"][resample.scoring]
        agrees = resample.agrees[None, :, None]
        reached = (outcome == 0) & asked & agrees
        change = observed["change"][resample.scoring]
        found: dict[str, float] = {}

        def average(values: Tensor, counted: Tensor, size: float) -> float:
            means = mean_over_signs(mean_where(values, counted), changes, size)  # one for each target
            return means[varying].nanmean().item()

        for suffix, taken in rows.items():
            taken = taken[taken >= 0]
            of = selectivity_of(change[:, taken], reached[:, taken], own[taken], targets, resample.deviation)
            complete = torch.zeros(len(of), len(targets), of.shape[2], dtype=of.dtype)  # a target without a path: 0
            counted = torch.ones_like(complete, dtype=torch.bool)
            places = (targets[:, None] == own[taken][None]).int().argmax(0)
            complete[:, places], counted[:, places] = of, asked[:, taken]
            for size in protocol.sizes:
                name = f"selectivity/{size:g}"
                found[f"{name}{suffix}"] = average(complete, counted, size)
                if suffix:
                    continue
                found[f"{name}/reached"] = average(reached[:, taken].to(of), counted, size)
                found[f"{name}/where_reached"] = average(complete, reached[:, taken], size)
                found[f"{name}/asked"] = average(counted.to(of), torch.ones_like(counted), size)
                for code, reason in enumerate(("not_found", "not_measured", "outside"), 1):
                    missed = (outcome == code) | ((outcome == 0) & ~agrees & (code == 1))
                    found[f"{name}/{reason}"] = average(missed[:, taken].to(of), counted, size)
        return found | self.judge(observed, setting, resample, asked)

    def judge(
        self, observed: Mapping[str, Tensor], setting: Setting, resample: Resample, asked: Tensor
    ) -> dict[str, float]:
        """Return the selectivity of the chosen edits by the judges' measurements, of the targets that they measure."""
        judges, measured = setting.subject.judges, setting.plan.measured
        if judges is None:
            return {}
        names = measured.targets
        which = [t for t, name in enumerate(names) if name in judges.names]
        own = torch.tensor([judges.names.index(names[t]) for t in which])
        change = observed["judged"][resample.scoring][:, which]  # (N, T', C, J)
        wanted = torch.tensor([float(change) for change in setting.protocol.changes]).sign()
        index = own[None, :, None, None].expand(*change.shape[:3], 1)
        right = change.gather(3, index)[..., 0] * wanted > 0
        every = torch.tensor([judges.names.index(names[t]) for t in which])
        share = selectivity_of(change, right, own, every, resample.judged)
        counted = asked[:, measured.positions[which]]
        means = mean_where(share, counted)
        return {
            f"selectivity/{size:g}/judge": mean_over_signs(means, list(setting.protocol.changes), size).nanmean().item()
            for size in setting.protocol.sizes
        }

    def matrices(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Matrix]:
        measured, protocol = setting.plan.measured, setting.protocol
        first, names, columns = setting.resamples[0], measured.targets, measured.columns
        labels = measured.label(first.positions)
        change = observed["change"][:, first.positions][..., columns]
        standard = change.double().abs() / measured.deviation[columns].double().clamp_min(1e-6)
        share = 100 * standard / standard.sum(-1, keepdim=True)
        found = {}
        for i, size in enumerate(protocol.sizes):
            values = share[:, :, [abs(float(change)) == size for change in protocol.changes]].nanmean((0, 2))
            picture = "" if i else "selectivity"
            found[f"selectivity/{size:g}"] = Matrix(values, labels, names, "%", "target", "changed", picture)
        return found

    def left_out(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Tensor]:
        return {"single edits": observed["outcome"][:, setting.resamples[0].positions] == 2}
