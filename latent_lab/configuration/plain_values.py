"""Checks of plain values, whatever they mean: finite numbers in their ranges, texts that can be stored and printed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from latent_lab.configuration.ranges import LARGEST, find_range
from latent_lab.console import escape_text
from latent_lab.installation import CONF

LONGEST, DEEPEST, MOST = 10_000, 40, 100_000  # letters of a text, levels, values


def show_value(value: object) -> str:
    """Return a value as an error shows it."""
    text = repr(value)
    return escape_text(text if len(text) <= 120 else f"{text[:120]}...")


def require_plain(plain: Mapping, command: str) -> None:
    """Check that numbers are finite and in range, that texts can be stored and printed, and that there are not too many
    values.

    Raises:
        ValueError: One line names the key.
    """
    parts: list[tuple[str, object, int]] = [("", plain, 0)]
    seen = 0
    while parts:
        key, value, level = parts.pop()
        seen += 1
        if level > DEEPEST or seen > MOST:
            raise ValueError(f"{key.split('.')[0]} must hold at most {MOST} values and {DEEPEST} levels")
        if isinstance(value, Mapping):
            for name in value:
                require_text(str(name), key or command)
            parts += [(f"{key}.{name}" if key else str(name), part, level + 1) for name, part in value.items()]
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            if not value and key.rpartition(".")[2] in ("widths", "depths", "changes", "amounts"):
                raise ValueError(f"{key} must hold numbers, got none")
            parts += [(key, part, level + 1) for part in value]
        elif isinstance(value, str):
            if value == "???":
                raise ValueError(f"{key} must be given{find_comment(key, command)}")
            require_text(value, key)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            if value != value or abs(value) > LARGEST:  # nan, inf, or an integer that is none of a float
                raise ValueError(f"{key} must be a finite number of at most {LARGEST:g}, got {show_value(value)}")
            allowed = find_range(key, command)
            if not allowed.holds(value):
                raise ValueError(f"{key} must be {allowed}, got {show_value(value)}")
        elif value is not None and not isinstance(value, bool):
            raise ValueError(
                f"{key} must be a number, text, true, false, null, a list or a dictionary, got {show_value(value)}"
            )


def require_text(text: str, key: str) -> None:
    """Check that a text is not too long and has no control characters.

    Raises:
        ValueError: One line names the key.
    """
    if len(text) >= LONGEST:
        raise ValueError(f"{key} must be shorter than {LONGEST} letters, got {len(text)}")
    if not text.isprintable() and any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        raise ValueError(f"{key} must be without control characters, got {show_value(text)}")


def find_comment(key: str, command: str) -> str:
    """Return the comment in the command's yaml on a value that must be given; empty if there is none."""
    found = re.search(rf"^{re.escape(key)}: \?\?\? *# *(.*)$", (CONF / f"{command}.yaml").read_text(), re.MULTILINE)
    return f": {found.group(1)}" if found else ""
