"""What the configurations of this installation say, read as plain yaml: where weights come from, and which classes a
yaml may name."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

_PACKAGE = Path(__file__).resolve().parent
CONF = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"  # in a wheel, in a checkout

TARGET = re.compile(r"_target_: *([A-Za-z_][\w.]*)")
INTERPOLATION = re.compile(r"\$\{(?:oc\.select:)?([a-z]\w*(?:\.\w+)?)")
DEFAULT = re.compile(r"(/?)(\w+)[\w/]*@(\w+)")  # another choice as a part of this one, of this group or of another (/)
KEY = re.compile(r"( *)(?:- )?(?:'|\")?([\w.]+)(?:'|\")?:")


def kind_of(path: Sequence[str]) -> str:
    """The part of a configuration that a node belongs to: the first two keys on the way to it, such as
    ``gan.generator``."""
    return ".".join(path[:2])


@functools.cache
def named_targets() -> Mapping[str, frozenset[str]]:
    """The dotted names of the classes that the yamls of this installation name, by :func:`kind_of`; those in comments
    are offers, and count.

    A part that takes another one (``paths: ${flow}``, a default ``/hierarchy@hierarchy: person``) takes its classes
    too.
    """
    named: dict[str, set[str]] = {}
    takes: dict[str, set[str]] = {}
    for file in sorted(CONF.rglob("*.yaml")):
        text, parts = file.read_text(encoding="utf-8"), file.relative_to(CONF).parts
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
def configuration(group: str, name: str) -> Mapping | None:
    """The yaml of a choice as it stands, on top of those that its defaults name in the same group; None where there is
    none."""
    file = CONF / group / f"{name}.yaml"
    if not re.fullmatch(r"\w+", name) or not file.is_file():
        return None
    own = yaml.safe_load(file.read_text(encoding="utf-8"))
    merged: dict = {}
    for entry in own.pop("defaults", []):
        if isinstance(entry, str) and entry != "_self_":
            merged = _merged(merged, configuration(group, entry) or {})
    return _merged(merged, own)


def _merged(under: Mapping, over: Mapping) -> dict:
    both = {
        key: _merged(under[key], over[key])
        for key in under.keys() & over.keys()
        if isinstance(under[key], dict) and isinstance(over[key], dict)
    }
    return {**under, **over, **both}
