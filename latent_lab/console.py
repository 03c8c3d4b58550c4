"""What the commands print: one line at a time, and nothing that a terminal would obey."""

from __future__ import annotations

import sys


def visible(text: object) -> str:
    """The text as one line, with control characters (as names of files and labels may hold) shown as escapes such as
    ``\\x1b``.

    >>> visible("a" + chr(27) + "[31m")
    'a\\\\x1b[31m'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in " ".join(str(text).split())
    )


def say(text: object, error: bool = False) -> None:
    """Print one line of the program, at once: ``latent_lab: <text>``.

    Arguments:
        text: What is said; see :func:`visible`.
        error: Whether it goes to the standard error instead of the standard output.
    """
    stream = sys.stderr if error else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    # a terminal may have no letter for it
    line = f"latent_lab: {visible(text)}".encode(encoding, "backslashreplace").decode(encoding)
    print(line, file=stream, flush=True)
