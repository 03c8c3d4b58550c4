"""Classes by their dotted names, and the arguments that they take."""

from __future__ import annotations

import importlib
import inspect
import typing
from functools import cache


@cache
def locate_class(name: str) -> type | None:
    """Return the class of a dotted name; None if there is none."""
    module, _, last = name.rpartition(".")
    try:
        import latent_lab.cpu_torchvision  # noqa: F401  (before lightning and torchmetrics)

        found = getattr(importlib.import_module(module), last, None)
    except (ImportError, ValueError):
        return None
    return found if isinstance(found, type) else None


@cache
def read_arguments(target: type) -> tuple[dict[str, object], frozenset[str], bool]:
    """Return the arguments of a class with their kinds, the names of those without a default, and whether it takes any
    others."""
    found: dict[str, object] = {}
    needed, others = set(), False
    for family in target.__mro__:  # what a class passes on, its parent takes
        init = vars(family).get("__init__")
        if init is None:
            continue
        try:
            hints = typing.get_type_hints(init)
        except (NameError, TypeError):
            hints = {}
        parameters = list(inspect.signature(init).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) and parameter.name not in found:
                found[parameter.name] = hints.get(parameter.name, typing.Any)
                if parameter.default is parameter.empty:
                    needed.add(parameter.name)
        others = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        if not others or not family.__module__.startswith("latent_lab."):
            break
    return found, frozenset(needed), others
