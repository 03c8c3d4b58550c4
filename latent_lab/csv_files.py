"""Tables as comma-separated values, with texts that no spreadsheet obeys."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

FORMULA = frozenset("=+-@\t\r\n＝＋－＠")  # a spreadsheet runs cells that start so, the wide ones in some languages


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Write rows as the content of a CSV file: numbers in full, None as an empty cell."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def escape_cell(text: str) -> str:
    """Return a text as a cell of a CSV file that no spreadsheet takes for a formula.

    An apostrophe is put before a text that starts like one. Tabs and line breaks stay, for :mod:`csv` to quote; other
    control characters, and what UTF-8 cannot hold, become escapes.
    """
    shown = "".join(
        letter if letter.isprintable() or letter in "\t\n" else letter.encode("unicode_escape").decode()
        for letter in text
    )
    return f"'{shown}" if text[:1] in FORMULA else shown
