"""Plain data from text files of any origin: YAML and JSON of bounded size, from regular files only."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TAGS = ("tag:yaml.org,2002:str",)  # explicit ones that dumpers write where a plain text would be taken for a number
NODES, DEPTH = 20_000, 48  # of a configuration; the largest of ours has 400, and 8
TEXT, TABLE = 2**20, 2**26  # bytes of a configuration and of a file of scores


def read_text(file: Path, largest: int = TEXT) -> str:
    """Return the text of a plain file in UTF-8.

    Raises:
        ValueError: It is a pipe, a device or a folder, has more than ``largest`` bytes, or is no text.
    """
    about = file.stat()
    if not stat.S_ISREG(about.st_mode) or about.st_size > largest:
        raise ValueError(f"{file} must be a plain file of at most {largest} bytes, got {about.st_size} bytes")
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{file} must be text in UTF-8") from None


def read_yaml(file: Path) -> dict:
    """Return the mapping in a YAML file that holds only texts, numbers, true, false, null, lists and mappings by texts.

    Raises:
        ValueError: It is damaged or too large, or uses what a configuration does not need: anchors and aliases (whose
            copies can be more than any memory holds), tags, interpolations (``${...}``), control characters.
    """
    text = read_text(file)
    try:
        depth = 0
        for number, event in enumerate(yaml.parse(text, Loader=LOADER)):
            opens = isinstance(event, yaml.events.CollectionStartEvent)
            depth += opens - isinstance(event, yaml.events.CollectionEndEvent)
            if isinstance(event, yaml.events.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise ValueError("it uses anchors or aliases")
            if getattr(event, "tag", None) not in (None, "!", *TAGS):
                raise ValueError(f"it uses the tag {str(event.tag)[:60]!r}")
            if number > NODES or depth > DEPTH:
                raise ValueError(f"it has more than {NODES} values, or nests deeper than {DEPTH}")
        found = yaml.load(text, Loader=LOADER)
        if not isinstance(found, dict):
            raise ValueError(f"it holds a {type(found).__name__} and no mapping")
        require_plain(found)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        reason = getattr(error, "problem", None) or error
        raise ValueError(
            f"{file} is no configuration that can be read: {' '.join(str(reason).split())[:200]}"
        ) from None
    return found


def require_plain(value: object, path: tuple[str, ...] = ()) -> None:
    """Check that a value holds nothing but plain values. Its nesting was bounded before.

    Arguments:
        value: The value.
        path: The keys that lead to it, for the error.

    Raises:
        ValueError: One line names the key.
    """
    where = ".".join(path)[:80] or "it"
    if isinstance(value, Mapping):
        for key, part in value.items():
            if not isinstance(key, str) or "${" in key or not key.isprintable():
                raise ValueError(f"keys of {where} must be plain texts, got {str(key)[:40]!r}")
            require_plain(part, (*path, key))
    elif isinstance(value, list):
        for part in value:
            require_plain(part, path)
    elif isinstance(value, str):
        if "${" in value or value == "???" or not all(letter.isprintable() or letter in "\n\t" for letter in value):
            raise ValueError(
                f"{where} must be plain text, without interpolations and control characters, got {value[:60]!r}"
            )
    elif value is not None and not isinstance(value, bool | int | float):
        raise ValueError(f"{where} must be a text, a number, true, false or null, got a {type(value).__name__}")


def read_json(file: Path) -> object:
    """Return the data of a JSON file. NaN and Infinity come as None.

    Raises:
        ValueError: It is damaged or too large.
    """
    try:
        found = json.loads(read_text(file, TABLE), parse_constant=lambda text: None)
    except (ValueError, RecursionError) as error:
        said = "it nests too deep" if isinstance(error, RecursionError) else str(error)
        raise ValueError(f"{file} cannot be read as JSON: {said[:200]}") from None
    return found


def has_form(value: object, form: object) -> bool:
    """Whether plain data have a form.

    A form is a type; a tuple of forms, one of which must hold; a list with the form of its entries; or a mapping with
    the forms of its keys. A key ``"key?"`` may be absent. The key ``str`` gives the form of all values.

    >>> has_form({"age": {"path": 3, "changes": [0.5]}}, {str: {"path": int, "changes": [float]}})
    True
    >>> has_form({"age": {"path": True}}, {str: {"path": int}})
    False
    """
    if isinstance(form, tuple):
        return any(has_form(value, one) for one in form)
    if isinstance(form, list):
        return isinstance(value, list) and all(has_form(part, form[0]) for part in value)
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return False
        if str in form:
            return all(has_form(part, form[str]) for part in value.values())
        return all(
            has_form(value[name], part) if (name := key.removesuffix("?")) in value else name != key
            for key, part in form.items()
        )
    if form is None:
        return value is None
    if form is float:  # finite: what JSON can hold beyond is no number here
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    return isinstance(value, form) and (form is bool or not isinstance(value, bool))
