"""Names of a run's paths, and the amounts along them that change an attribute as much as asked."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import torch

from latent_lab.ops.calibration import amount_for_change
from latent_lab.paths.base import Paths
from latent_lab.runs import Run


class Edit(NamedTuple):
    """One edit: what was asked for, and the path and amount that do it.

    Arguments:
        name: Name by which it was asked for.
        path: The path's number.
        asked: The strength: standard deviations of the attribute where ``calibrated``, else the path's own amount.
        amount: The path's amount.
        calibrated: Whether the evaluation of the run says what the strength means.
        warning: Warning for the user; empty for none.
    """

    name: str
    path: int
    asked: float
    amount: float
    calibrated: bool
    warning: str = ""


def parse_path_number(name: str, paths: Paths) -> int | None:
    """Return the number in a name like ``path3``; None for other names and numbers."""
    found = re.fullmatch(r"path ?(\d+)", name)
    return int(found[1]) if found and int(found[1]) < paths.num_paths else None


def read_names(run: Run) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the calibration of each attribute that the evaluation gave a path to, and the own names of imported
    paths."""
    return run.read_json("names.json"), run.read_json("findings.json").get("names", [])


def read_deviations(run: Run) -> dict[str, float]:
    """Return the standard deviations over the prior of the attributes that the evaluation gave paths to."""
    named = run.read_json("names.json")
    return {name: entry["deviation"] for name, entry in named.items() if entry.get("deviation")}


def find_path(run: Run, paths: Paths, name: str) -> int:
    """Return the number of the path that has a name: that of an imported direction, of an attribute, or
    ``path<number>``.

    Raises:
        ValueError: No path has it; all names are listed.
    """
    calibrated, own = read_names(run)
    number = parse_path_number(name, paths)
    if name in own or name in calibrated:
        number = own.index(name) if name in own else calibrated[name]["path"]
        if not 0 <= number < paths.num_paths:
            raise ValueError(
                f"{run.folder} calls path {number} {name!r}, but has {paths.num_paths} paths; evaluate it again"
            )
    if number is None:
        known = [*own, *[entry for entry in calibrated if entry not in own]]
        listed = (
            f"{known[:40]} or path0 to path{paths.num_paths - 1}" if known else f"path0 to path{paths.num_paths - 1}"
        )
        raise ValueError(
            f"paths of {run.folder} are called {listed}, got {name!r}"
            + ("" if known else "; python -m latent_lab.evaluate names them")
        )
    return number


def resolve_edit(run: Run, paths: Paths, name: str, strength: float) -> Edit:
    """Return the path and amount of an edit.

    A strength beyond what the evaluation saw is extrapolated, and the edit's warning says so.

    Arguments:
        run: The run.
        paths: Its paths.
        name: The name of the path (:func:`find_path`).
        strength: Standard deviations of the attribute if the path is named after one, else the path's own amount.
    """
    number, (calibrated, _) = find_path(run, paths, name), read_names(run)
    # a number, or an imported direction beside a better path of that attribute
    if calibrated.get(name, {}).get("path") != number:
        return Edit(name, number, strength, strength, False)
    amount, warning = find_amount(name, calibrated[name], strength)
    return Edit(name, number, strength, amount, True, warning)


def find_amount(name: str, entry: dict[str, Any], change: float) -> tuple[float, str]:
    r"""Return the smallest amount whose mean change is ``change`` standard deviations, and a warning, empty for none.

    .. math:: \varepsilon = c \, \varepsilon_e / c_e \text{ with the end } (\varepsilon_e, c_e) \text{ of the curve on
        that side}

    Arguments:
        name: The attribute's.
        entry: Its part of ``names.json``: ``amounts`` and ``changes`` of the mean curve, ``reachable`` changes.
        change: The change that is asked for.
    """
    x, y = torch.tensor(entry["amounts"]), torch.tensor(entry["changes"])
    if len(x) != len(y) or not len(x) or len(entry["reachable"]) != 2:
        raise ValueError(
            f"names.json must have a change for each amount of {name!r}, and two reachable ends; evaluate the run again"
        )
    if change == 0:
        return 0.0, ""
    amount = amount_for_change(x, y, change)
    if not math.isnan(amount):
        return amount, ""
    low, high = entry["reachable"]
    if low == high:
        raise ValueError(
            f"edits: the path of {name!r} changes it nowhere; take another, or path{entry['path']} with an amount"
        )
    end = int(y.argmax()) if change > 0 and high > 0 or low >= 0 else int(y.argmin())
    warning = (
        f"{name} by {change:+g} standard deviations is outside the calibrated range, {low:+.2f} to {high:+.2f}: "
        "extrapolated"
    )
    return change * (x[end] / y[end]).item(), warning
