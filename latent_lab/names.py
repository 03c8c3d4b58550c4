"""Names of files, made from texts that a user wrote: names of pictures, edits and labels."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence

LONGEST = (
    100  # bytes in UTF-8, of the 255 that file systems allow: suffixes and the names of unfinished files come on top
)


def make_file_name(text: str) -> str:
    """Turn any text into one plain part of a path. A plain name stays as it is.

    Separators, characters that cannot be printed or encoded, dots and dashes at the start, and dots and spaces at the
    end become ``_``. A name of more than ``LONGEST`` bytes is cut, and ends with ``-`` and 8 digits of the SHA-256 of
    the whole text.

    >>> make_file_name("../a/b."), make_file_name("-rf")
    ('___a_b_', '_rf')
    """
    name = "".join(letter if letter.isprintable() and letter != "/" else "_" for letter in text)
    inner = name.lstrip(".-")
    name = "_" * (len(name) - len(inner)) + inner
    inner = name.rstrip(". ")
    name = inner + "_" * (len(name) - len(inner)) or "_"
    if len(name.encode()) <= LONGEST:
        return name
    mark = "-" + digest(text)
    return name.encode()[: LONGEST - len(mark)].decode(errors="ignore") + mark


def digest(text: str) -> str:
    """Return the first 8 hexadecimal digits of the SHA-256 of any text, even one that UTF-8 cannot encode."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def normalise_name(name: str) -> str:
    """Return a form that is equal for all names that a file system may take for one: it may ignore case and how accents
    are written."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def make_file_names(texts: Sequence[str]) -> dict[str, str]:
    """Return a name of a file for each text. Names differ even if case is ignored: a digest is added where they would
    not."""
    names = {text: make_file_name(text) for text in texts}
    times = Counter(map(normalise_name, names.values()))
    return {
        text: name if times[normalise_name(name)] == 1 else make_file_name(f"{name}-{digest(text)}")
        for text, name in names.items()
    }


def require_file_name(text: object, argument: str) -> str:
    """Return a text that is one plain part of a path, as :func:`make_file_name` gives it.

    Arguments:
        text: The value to check.
        argument: Its name in the error.

    Raises:
        ValueError: It is no such text.
    """
    if isinstance(text, str) and make_file_name(text) == text:
        return text
    given = repr(text)
    given = given if len(given) <= 120 else f"{given[:60]}...{given[-40:]}"
    raise ValueError(
        f"{argument} must be a plain name of a file, of at most {LONGEST} bytes that can be printed, without '/', "
        f"without a dot or a dash first, without a dot or a space last, got {given}"
    )
