"""Kinds of values that a configuration may hold: Python's type hints, as far as YAML has such values, and ``Built``."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Built:
    """An object that a ``_target_`` makes.

    Arguments:
        base: The dotted name of its class; empty for any.
    """

    base: str = ""


@dataclass(frozen=True)
class Key:
    """The kind and the meaning of a key of a configuration.

    Arguments:
        kind: The kind of its value.
        about: Meaning of the key, as an error says it.
    """

    kind: object
    about: str


def list_alternatives(kind: object) -> list[object]:
    """Return the kinds that a value may have, one of which must fit."""
    if isinstance(kind, Key):
        return list_alternatives(kind.kind)
    if isinstance(kind, tuple):
        return [one for part in kind for one in list_alternatives(part)]
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return [one for part in typing.get_args(kind) for one in list_alternatives(part)]
    if typing.get_origin(kind) is typing.Literal:
        return [kind]
    return [type(None) if kind is None else kind]


def is_list(kind: object) -> bool:
    """Whether values of this kind are lists."""
    return typing.get_origin(kind) in (Sequence, Iterable, list, tuple) or kind in (Sequence, list, tuple)


def is_mapping(kind: object) -> bool:
    """Whether values of this kind are dictionaries."""
    return isinstance(kind, Mapping) or typing.get_origin(kind) in (Mapping, dict) or kind in (Mapping, dict)


def is_built(kind: object) -> bool:
    """Whether values of this kind are made by a ``_target_``."""
    plain = (int, float, str, bool, type(None), object, typing.Any)
    return (
        isinstance(kind, Built)
        or kind is Built
        or typing.get_origin(kind) is Callable
        or (isinstance(kind, type) and kind not in plain)
    )


def is_of_kind(value: object, kind: object) -> bool:
    """Whether a value is of a kind. Parts of lists and dictionaries are not looked at."""
    if kind in (typing.Any, object):
        return True
    if typing.get_origin(kind) is typing.Literal:
        return any(value == one and type(value) is type(one) for one in typing.get_args(kind))
    if isinstance(value, bool) or value is None:
        return kind is type(value)
    if isinstance(value, int | float):
        return kind is float or (kind is int and isinstance(value, int))
    if isinstance(value, str):
        return kind is str
    if isinstance(value, Mapping):
        return is_built(kind) if "_target_" in value else is_mapping(kind)
    return is_list(kind)


def describe_kind(kind: object) -> str:
    """Return the name of a kind for an error."""
    words = {int: "an integer", float: "a number", str: "text", bool: "true or false", type(None): "null"}
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {list(typing.get_args(kind))}".replace("None", "null")
    if is_list(kind):
        parts = [describe_kind(part) for part in typing.get_args(kind) if part is not Ellipsis]
        return f"a list of {' or '.join(dict.fromkeys(parts))}".replace("of an integer", "of integers").replace(
            "of a number", "of numbers"
        )
    if is_mapping(kind):
        return "a dictionary"
    return words.get(kind, "what a _target_ makes")
