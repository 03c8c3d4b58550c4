"""Attributes of pictures as data sets publish them: a CSV or TSV, or CelebA's list."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

LIMIT = 1 << 28  # bytes; CelebA's list has 26 million
LONGEST_LINE = 1 << 20  # characters; a line of CelebA's list has 150
LARGEST = torch.finfo(torch.float32).max


def read_table(file: str | Path) -> tuple[list[str], dict[str, list[float]]]:
    """Read the names of the attributes, and the values of each picture by its name.

    A ``.csv`` or ``.tsv`` has a header, or its attributes' names in an ``attributes.txt`` beside it, and the picture's
    name in its first column. Of ``value,confidence`` (the Transient Attributes' annotations) the value is taken.
    Anything else must be CelebA's list: a number of rows, a row of names, and rows of a picture's name and its values.

    Raises:
        ValueError: It is no plain file of text, too large, or holds anything but finite numbers, a row a picture.
    """
    file = Path(file)
    lines = read_lines(file)
    if file.suffix in (".csv", ".tsv"):
        try:
            rows = [row for row in csv.reader(lines, delimiter="," if file.suffix == ".csv" else "\t") if row]
        except csv.Error as error:
            raise ValueError(f"{file} must be a table of short cells, got one that cannot be read ({error})") from None
        beside = file.with_name("attributes.txt")
        names = " ".join(read_lines(beside)).split() if beside.is_file() else rows.pop(0)[1:] if rows else []
    else:
        if len(lines) < 2 or not re.fullmatch(r"[0-9]{1,12}", lines[0].strip()):
            raise ValueError(
                f"{file} must be a .csv, a .tsv, or a list as CelebA's, whose first line is the number of its rows"
            )
        names, rows = lines[1].split(), [line.split() for line in lines[2:] if line.strip()]
        if len(rows) != int(lines[0]):
            raise ValueError(f"{file} must hold the {int(lines[0])} rows that its first line says, got {len(rows)}")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{file} must have different names of attributes, got {shorten_texts(names, 8)}")
    table: dict[str, list[float]] = {}
    for number, (name, *values) in enumerate(rows, 1):
        try:
            table[name.strip()] = [float(value.split(",")[0]) for value in values]
        except ValueError:
            raise ValueError(
                f"{file} must hold numbers after a picture's name, got {shorten_texts(values)} in row {number}"
            ) from None
        if not all(abs(value) <= LARGEST for value in table[name.strip()]):
            raise ValueError(
                f"{file} must hold finite numbers of single precision, got {shorten_texts(values)} in row {number}"
            )
        if len(values) != len(names):
            raise ValueError(f"{file} must hold {len(names)} values a row, got {len(values)} in row {number}")
    return names, table


def read_lines(file: Path) -> list[str]:
    """Return the lines of a text file in UTF-8.

    Raises:
        ValueError: It has more than ``LIMIT`` bytes, a line of more than ``LONGEST_LINE`` characters, or is no text.
    """
    if not file.is_file():
        raise ValueError(f"{file} must be a plain file")
    if file.stat().st_size > LIMIT:
        raise ValueError(f"{file} must have at most {LIMIT} bytes, got {file.stat().st_size}")
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")  # no other character ends a line: names may hold them
    except UnicodeDecodeError:
        raise ValueError(f"{file} must be text in UTF-8") from None
    longest = max(map(len, lines))
    if longest > LONGEST_LINE:
        raise ValueError(f"{file} must have lines of at most {LONGEST_LINE} characters, got {longest}")
    return lines


def shorten_texts(texts: Sequence[str], most: int = 4) -> list[str]:
    """Return the first texts, each cut to the length that an error may show."""
    return [text if len(text) <= 40 else f"{text[:40]}..." for text in texts[:most]]


def match_rows(pictures: Sequence[str], table: Mapping[str, Sequence[float]]) -> list[Tensor | None]:
    """Return the values of each picture; None if the table has none.

    A picture is named by its path in the folder, or by as many of the path's last parts as the table writes.

    Arguments:
        pictures: Paths of the pictures in the folder.
        table: Values by the name of a picture.

    Raises:
        ValueError: A row would serve two pictures.
    """
    found: list[Tensor | None] = []
    owner: dict[str, str] = {}
    for picture in pictures:
        parts = PurePosixPath(picture).parts
        key = next((key for start in range(len(parts)) if (key := "/".join(parts[start:])) in table), None)
        if key is not None and owner.setdefault(key, picture) != picture:
            raise ValueError(
                f"the table's row {key!r} must belong to one picture, got {owner[key]} and {picture}; "
                "write their folders too"
            )
        found.append(None if key is None else torch.tensor(table[key]))
    return found
