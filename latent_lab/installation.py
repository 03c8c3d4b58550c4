"""The configurations of this installation and of installed extensions, read as plain yaml."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from omegaconf import OmegaConf

_PACKAGE = Path(__file__).resolve().parent
CONF = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"  # in a wheel, in a checkout

TARGET = re.compile(r"_target_: *([A-Za-z_][\w.]*)")
INTERPOLATION = re.compile(r"\$\{(?:oc\.select:)?([a-z]\w*(?:\.\w+)?)")
DEFAULT = re.compile(r"(/?)(\w+)[\w/]*@(\w+)")  # another choice as a part of this one, of this group or of another (/)
KEY = re.compile(r"( *)(?:- )?(?:'|\")?([\w.]+)(?:'|\")?:")


@functools.cache
def extensions() -> Mapping[str, Path]:
    """Return the folder of each installed package that extends latent_lab, by its name.

    A package extends latent_lab by an entry point of the group ``latent_lab`` that names it. Its ``conf`` folder joins
    the configurations, and the modules of its ``formats`` package join the formats of checkpoints. Nothing is imported
    here.

    Raises:
        ValueError: An entry point names a package that is not there.
    """
    found = {}
    for point in entry_points(group="latent_lab"):
        spec = find_spec(point.value.split(".")[0])
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(
                f"entry point {point.name} of the group latent_lab must name a package, got {point.value!r}"
            )
        found[point.value] = Path(spec.submodule_search_locations[0]).joinpath(*point.value.split(".")[1:])
    return found


def conf_folders() -> list[Path]:
    """Return the folders of configurations: latent_lab's own first, then those of extensions."""
    return [CONF, *(folder / "conf" for folder in extensions().values() if (folder / "conf").is_dir())]


def choices(group: str) -> list[str]:
    """Return the names of a group's configurations in order; those in folders called ``base`` are only parts of others.

    >>> "sefa" in choices("method")
    True
    """
    found = set()
    for folder in conf_folders():
        files = (file.relative_to(folder / group) for file in (folder / group).rglob("*.yaml"))
        found |= {file.with_suffix("").as_posix() for file in files if "base" not in file.parts}
    return sorted(found)


def kind_of(path: Sequence[str]) -> str:
    """Return the part of a configuration that a node belongs to: its first two keys, such as ``gan.generator``."""
    return ".".join(path[:2])


@functools.cache
def list_named_classes() -> Mapping[str, frozenset[str]]:
    """Return the dotted names of the classes that the yamls of this installation name, by part (:func:`kind_of`).

    Classes in comments count too: they are offered for use. A part that takes another one (``paths: ${flow}``, a
    default ``/hierarchy@hierarchy: person``) takes its classes too.
    """
    named: dict[str, set[str]] = {}
    takes: dict[str, set[str]] = {}
    for folder, file in [(conf, file) for conf in conf_folders() for file in sorted(conf.rglob("*.yaml"))]:
        text, parts = file.read_text(encoding="utf-8"), file.relative_to(folder).parts
        if parts[0] == "hydra":
            continue
        group = [] if len(parts) == 1 or "@package _global_" in text else [parts[0]]
        keys: list[tuple[int, str]] = []  # indent and name of those that the line stands under
        for line in text.splitlines():
            key = KEY.match(line)
            if key:
                keys = [(indent, name) for indent, name in keys if indent < len(key[1])]
                keys += [(len(key[1]), key[2])] if key[2] != "_target_" else []
            kind = kind_of([*group, *(name for _, name in keys)])
            if kind.endswith("defaults"):
                for root, other, part in DEFAULT.findall(line):
                    takes.setdefault(kind_of([*group, part]), set()).add(other if root else parts[0])
                continue
            if found := TARGET.findall(line):
                named.setdefault(kind, set()).update(found)
            if found := INTERPOLATION.findall(line):
                takes.setdefault(kind, set()).update(found)
    for _ in takes:  # as long as a chain of parts can be
        for kind, others in takes.items():
            found = [
                classes
                for other, classes in named.items()
                if any(other == one or other.startswith(f"{one}.") for one in others)
            ]
            if found:
                named[kind] = named.get(kind, set()).union(*found)
    return {kind: frozenset(classes) for kind, classes in named.items()}


@functools.cache
def read_choice(group: str, name: str) -> Mapping | None:
    """Return the yaml of a choice as it stands, on top of what its defaults list; None where there is no such choice.

    >>> read_choice("gan", "sngan_mnist")["space"]
    'z'

    Arguments:
        group: A group of configurations, e.g. ``gan``.
        name: A choice of it, e.g. ``stylegan2``; parts of others lie in ``base/``.
    """
    if not re.fullmatch(r"\w+(/\w+)*", f"{group}/{name}"):
        return None
    file = next((file for folder in conf_folders() if (file := folder / group / f"{name}.yaml").is_file()), None)
    if file is None:
        return None
    own = OmegaConf.to_container(OmegaConf.load(file))  # whose floats are those of Hydra: 1e5 is none for YAML 1.1
    merged: dict = {}
    for entry in own.pop("defaults", []):
        key, chosen = next(iter(entry.items())) if isinstance(entry, dict) else (entry, None)
        if key != "_self_" and not key.startswith("override "):
            merged = _merged(merged, _part(group, key, chosen))
    return _merged(merged, own)


def _part(group: str, key: str, chosen: str | list[str] | None) -> Mapping:
    """What an entry of a group's defaults list adds: ``base/x@_here_``, ``x@key``, ``/group/x@key``, ``/group@key: x``
    or ``/group@key: [x, y]``."""
    if isinstance(chosen, list):
        return functools.reduce(_merged, (_part(group, key, one) for one in chosen), {})
    place, _, package = key.partition("@")
    place = f"{place}/{chosen}" if chosen is not None else place
    place = place[1:] if place.startswith("/") else f"{group}/{place}"
    above, _, name = place.rpartition("/")
    found = read_choice(above, name) or {}
    return found if package in ("", "_here_") else {package: found}


def _merged(under: Mapping, over: Mapping) -> dict:
    both = {
        key: _merged(under[key], over[key])
        for key in under.keys() & over.keys()
        if isinstance(under[key], dict) and isinstance(over[key], dict)
    }
    return {**under, **over, **both}
