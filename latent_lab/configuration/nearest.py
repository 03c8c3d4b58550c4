"""Which names a wrong one may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 5  # names of many


def nearest(word: str, names: Iterable[str], shown: int = SHOWN) -> list[str]:
    """Names that look like the word, the most alike first; the first names where none does.

    >>> nearest("liner", ["sefa", "linear", "pde"])
    ['linear']
    """
    names = sorted(set(names))
    return difflib.get_close_matches(word, names, shown, 0.5) or names[:shown]
