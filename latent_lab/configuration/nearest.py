"""Suggestions for a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 5  # names of many


def find_nearest(word: str, names: Iterable[str], shown: int = SHOWN) -> list[str]:
    """Return names that look like the word, the most alike first; the first names if none does.

    >>> find_nearest("liner", ["sefa", "linear", "pde"])
    ['linear']
    """
    names = sorted(set(names))
    return difflib.get_close_matches(word, names, shown, 0.5) or names[:shown]
