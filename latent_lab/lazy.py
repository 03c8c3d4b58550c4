"""Public classes of a package, imported when they are asked for: ``from latent_lab.paths import LinearPaths``."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from importlib.util import find_spec

PUBLIC = re.compile(r"^class ([A-Z]\w*)", re.MULTILINE)


def export_classes(package: str, folders: list[str]) -> tuple[list[str], Callable[[str], type]]:
    """Return ``__all__`` and ``__getattr__`` of a package: the public classes that its modules define, found in
    their text.

    Nothing is imported until a name is asked for, so that a new module needs no list.

    Arguments:
        package: The package's dotted name.
        folders: Its ``__path__``.
    """
    homes: dict[str, str] = {}
    for module in pkgutil.walk_packages(folders, f"{package}."):
        spec = find_spec(module.name) if not module.ispkg else None
        if spec is not None and spec.origin is not None:
            with open(spec.origin, encoding="utf-8") as file:
                homes |= dict.fromkeys(PUBLIC.findall(file.read()), module.name)

    def find_class(name: str) -> type:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    return sorted(homes), find_class
