"""Output of the commands: one line at a time, without anything that a terminal would obey."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator


def escape_text(text: object) -> str:
    r"""Return a text as one line, with control characters (names of files may hold them) as escapes such as ``\x1b``.

    >>> escape_text("a" + chr(27) + "[31m")
    'a\\x1b[31m'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in " ".join(str(text).split())
    )


log = logging.getLogger("latent_lab")


class ConsoleHandler(logging.Handler):
    """Prints each record at once as one line of the program, ``latent_lab: <text>``; see :func:`escape_text`.

    Warnings and errors go to the standard error, everything else to the standard output.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record as one line of the program: warnings and errors to the standard error, the rest to the
        standard output."""
        stream = sys.stderr if record.levelno >= logging.WARNING else sys.stdout
        encoding = getattr(stream, "encoding", None) or "utf-8"
        line = f"latent_lab: {escape_text(record.getMessage())}"
        # a terminal may have no letter for it
        print(line.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


@contextlib.contextmanager
def printed() -> Iterator[None]:
    """Print what is logged, as the commands do; from Python nothing is printed unless logging is configured."""
    if any(isinstance(handler, ConsoleHandler) for handler in log.handlers):
        yield
        return
    handler, level, propagate = ConsoleHandler(), log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False  # Hydra's own handler would print it again
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate
