"""Names of files that are made from what a user wrote: of pictures, edits and labels."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence

LONGEST = (
    100  # bytes in UTF-8, of the 255 that file systems allow: suffixes and the names of unfinished files come on top
)


def file_name(text: str) -> str:
    """Turn any text into one plain part of a path; a name that is plain already stays as it is.

    Separators, characters that cannot be printed or encoded, dots and dashes at the start, and dots and spaces at the
    end become ``_``. A name of more than ``LONGEST`` bytes is cut, and ends with ``-`` and 8 digits of the SHA-256 of
    the whole text.

    >>> file_name("../a/b."), file_name("-rf")
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
    """The first 8 hexadecimal digits of the SHA-256 of any text, also of one that no encoding has."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def same_file(name: str) -> str:
    """What names have in common that a file system may take for one: it may ignore case, and how accents are
    written."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def file_names(texts: Sequence[str]) -> dict[str, str]:
    """Plain names of files by the texts that they are of, different also where case is ignored: with a digest where
    several would be one."""
    names = {text: file_name(text) for text in texts}
    times = Counter(map(same_file, names.values()))
    return {
        text: name if times[same_file(name)] == 1 else file_name(f"{name}-{digest(text)}")
        for text, name in names.items()
    }


def require_file_name(text: object, argument: str) -> str:
    """The text, if it is one plain part of a path as :func:`file_name` gives it.

    Arguments:
        text: What was given.
        argument: Its name in the error.

    Raises:
        ValueError: It is none.
    """
    if isinstance(text, str) and file_name(text) == text:
        return text
    given = repr(text)
    given = given if len(given) <= 120 else f"{given[:60]}...{given[-40:]}"
    raise ValueError(
        f"{argument} must be a plain name of a file, of at most {LONGEST} bytes that can be printed, without '/', "
        f"without a dot or a dash first, without a dot or a space last, got {given}"
    )
