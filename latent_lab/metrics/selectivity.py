"""The headline of the yardstick: how much of what an edit changes is the attribute that it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from latent_lab.metrics.base import NAN, Matrix, Measurement, Picture, Score, Setting
from latent_lab.metrics.bootstrap import Resamples, score_resamples
from latent_lab.metrics.views import Views


def selectivity_of(change: Tensor, reached: Tensor, own: Tensor, targets: Tensor, deviation: Tensor) -> Tensor:
    r"""Return the selectivity of each edit, with shape :math:`(\dots, N, Q, C)`.

    .. math:: s = \frac{|d_k|}{\sum_{j \in T} |d_j|}

    with the changes d of the targets T in standard deviations over the prior, where edit k has changed its own
    attribute by the wanted change; 0 where it did not reach that. Targets that do not vary do not count.

    Arguments:
        change: Changes of all attributes in their units, with shape :math:`(\dots, N, Q, C, A)`.
        reached: Which edits reached the wanted change, with shape :math:`(\dots, N, Q, C)`.
        own: Column of each candidate's own attribute, with shape :math:`(Q,)`.
        targets: Columns of the targets, with shape :math:`(T,)`.
        deviation: Deviations of all attributes over the prior, with shape :math:`(\dots, A)`.
    """
    unit = deviation.double()[..., None, None, None, :]
    standard = change.double().abs() / unit
    standard = standard.where(unit > 0, torch.zeros_like(standard))
    total = standard[..., targets].sum(-1)
    share = standard.gather(-1, own[:, None, None].expand(*standard.shape[:-1], 1))[..., 0] / total
    return share.where(reached & share.isfinite(), torch.zeros_like(share))


def mean_where(values: Tensor, counted: Tensor) -> Tensor:
    """Return the mean over latents :math:`(\\dots, N, T, C)` of the values that count, with shape :math:`(\\dots, T,
    C)`; nan where none does."""
    return values.where(counted, torch.zeros_like(values)).sum(-3) / counted.to(values).sum(-3)


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
        resamples, columns = setting.resamples, setting.plan.measured.columns
        narrow = {**observed, "change": observed["change"][..., columns]}

        def statistics(some: Resamples) -> dict[str, Tensor]:
            return self.measure(narrow, setting, some)

        def kinds(name: str) -> tuple[str, str]:
            if name.endswith("/asked"):
                return "share of latents", ""
            if name.rsplit("/", 1)[-1] in ("not_found", "not_measured", "outside"):
                return "share of the asked", ""
            return "share of the asked" if name.endswith("/reached") else "share", "higher"

        values = statistics(resamples.select(slice(0, 1)))

        def reached(name: str) -> float:  # what was not reached counts 0, but here
            return values[name.replace("where_reached", "reached")].item() if name.endswith("/where_reached") else 1.0

        found = score_resamples(statistics, resamples, narrow["change"][:, : len(columns)].numel(), kinds, reached)
        if (resamples.deviation[0, columns] > 0).any():
            return found
        return [score for score in found if score.name.count("/") == 1]  # nothing can change: nothing can be said

    def measure(self, observed: Mapping[str, Tensor], setting: Setting, resamples: Resamples) -> dict[str, Tensor]:
        """Return all numbers by their names, each with shape :math:`(B,)`, of B redraws of the latents.

        Arguments:
            observed: The rows of all latents, with changes of the targets alone.
            setting: The surroundings.
            resamples: The redraws.
        """
        measured, protocol = setting.plan.measured, setting.protocol
        num, changes = len(measured.columns), list(protocol.changes)
        deviation, every = resamples.deviation[:, measured.columns], torch.arange(num)
        outcome, asked = (resamples.take(observed[part], resamples.positions) for part in ("outcome", "asked"))
        found: dict[str, Tensor] = {}

        def average(values: Tensor, counted: Tensor, size: float) -> Tensor:
            means = mean_over_signs(mean_where(values.double(), counted), changes, size)  # one for each target
            return means.where(deviation > 0, torch.full_like(means, NAN)).nanmean(-1)

        def share(positions: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            """Return the selectivity of a candidate for each of some targets, and which reached the change."""
            reached = (resamples.take(observed["outcome"], positions) == 0) & resamples.take_agrees(positions)
            reached &= resamples.take(observed["asked"], positions)
            change = resamples.take(observed["change"], positions)
            return selectivity_of(change, reached, targets, every, deviation), reached

        of, reached = share(resamples.positions, every)
        missed = (outcome == 0) & ~resamples.take_agrees(resamples.positions)
        for size in protocol.sizes:
            name = f"selectivity/{size:g}"
            found[name] = average(of, asked, size)
            found[f"{name}/reached"] = average(reached, asked, size)
            found[f"{name}/where_reached"] = average(of, reached, size)
            found[f"{name}/asked"] = average(asked, torch.ones_like(asked), size)
            for code, reason in enumerate(("not_found", "not_measured", "outside"), 1):
                found[f"{name}/{reason}"] = average((outcome == code) | (missed & (code == 1)), asked, size)
        which = (measured.named >= 0).nonzero()[:, 0]
        if len(which):
            positions = measured.named[which].expand(len(deviation), -1)
            complete, counted = torch.zeros_like(of), torch.ones_like(asked)  # a target without a path: 0
            complete[:, :, which], counted[:, :, which] = (
                share(positions, which)[0],
                resamples.take(observed["asked"], positions),
            )
            found |= {f"selectivity/{size:g}/named": average(complete, counted, size) for size in protocol.sizes}
        return found | self.judge(observed, setting, resamples)

    def judge(self, observed: Mapping[str, Tensor], setting: Setting, resamples: Resamples) -> dict[str, Tensor]:
        """Return the selectivity of the chosen edits by the judges' measurements, of the targets that they measure."""
        judges, measured = setting.subject.judges, setting.plan.measured
        which = [t for t, name in enumerate(measured.targets) if judges is not None and name in judges.names]
        if judges is None or not which:
            return {}
        own = torch.tensor([judges.names.index(measured.targets[t]) for t in which])
        every, wanted = torch.arange(len(which)), torch.tensor([float(one) for one in setting.protocol.changes]).sign()
        change = observed["judged"][:, which][..., own][resamples.scoring]  # (B, N, T', C, T')
        right = change.diagonal(dim1=2, dim2=4).transpose(2, 3) * wanted > 0
        share = selectivity_of(change, right, every, every, resamples.judged[:, own])
        positions = measured.positions[which].expand(len(change), -1)
        means = mean_where(share, resamples.take(observed["asked"], positions))
        return {
            f"selectivity/{size:g}/judge": mean_over_signs(means, list(setting.protocol.changes), size).nanmean(-1)
            for size in setting.protocol.sizes
        }

    def matrices(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Matrix]:
        measured, protocol = setting.plan.measured, setting.protocol
        positions, names, columns = setting.resamples.positions[0], measured.targets, measured.columns
        labels = measured.label(positions)
        change = observed["change"][:, positions][..., columns]
        standard = change.double().abs() / measured.deviation[columns].double().clamp_min(1e-6)
        share = 100 * standard / standard.sum(-1, keepdim=True)
        found = {}
        for i, size in enumerate(protocol.sizes):
            values = share[:, :, [abs(float(change)) == size for change in protocol.changes]].nanmean((0, 2))
            picture = "" if i else "selectivity"
            found[f"selectivity/{size:g}"] = Matrix(values, labels, names, "%", "target", "changed", picture)
        return found

    def left_out(self, observed: Mapping[str, Tensor], setting: Setting) -> dict[str, Tensor]:
        return {"single edits": observed["outcome"][:, setting.resamples.positions[0]] == 2}
