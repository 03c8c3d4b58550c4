"""Limits of a stranger's file: plain files only, and no module that is larger than what can fill it."""

from __future__ import annotations

import contextlib
import stat
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.modules import module as registration

from latent_lab.console import escape_text

# of a module that no file fills; the largest known generator has 2**26.6 numbers, and 2,000 parts
NUMBERS, PARTS = 2**29, 100_000
KINDS = {
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "pipe",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFSOCK: "socket",
}

# whatever a reader of a damaged file may raise: each part of it can be of another type, size or form than it must be
FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
    SafetensorError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def plain_file(file: str | Path, argument: str = "the file") -> Path:
    """Return the path of a file that has an end; opening a pipe may wait for ever, and a device may be read for ever.

    Arguments:
        file: Its path; links are followed, ``~`` is not.
        argument: Name for error messages.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is a folder, a pipe, a device or a socket.
    """
    if "\0" in str(file):
        raise ValueError(f"{argument} must be a file, got a path with a null character")
    try:
        kind = stat.S_IFMT(Path(file).stat().st_mode)
    except OSError as error:
        raise FileNotFoundError(f"{argument} must be a file, got {quote(str(file), 200)} ({error.strerror})") from None
    if kind != stat.S_IFREG:
        raise ValueError(
            f"{argument} must be a plain file, got the {KINDS.get(kind, 'something else')} {quote(str(file), 200)}"
        )
    return Path(file)


def quote(value: object, length: int = 60) -> str:
    """Quote a value of a file in a message: short texts and numbers as they are written, the type of anything else.

    Arguments:
        value: The value.
        length: Characters of a text, at most.

    Example:
        >>> quote("w" * 100, 8), quote([1, 2])
        ("'wwwww...'", 'a value of the type list')
    """
    if isinstance(value, str):
        return repr(value if len(value) <= length else value[: length - 3] + "...")
    if isinstance(value, bool | float | None) or (isinstance(value, int) and value.bit_length() < 128):
        return repr(value)
    return f"a value of the type {type(value).__name__}"


def reason(error: BaseException, length: int = 200) -> str:
    """Return the message of an error in one line without control characters, after its type where it is no ValueError.

    Arguments:
        error: The error.
        length: Characters, at most.

    Example:
        >>> reason(KeyError("linear.weight"))
        "KeyError: 'linear.weight'"
    """
    try:
        said = escape_text(str(error)[: 4 * length])
    except ValueError:  # a number of more digits than Python writes
        said = ""
    said = said if isinstance(error, ValueError) else f"{type(error).__name__}: {said}".removesuffix(": ")
    return said if len(said) <= length else said[: length - 3] + "..."


def parse_number(digits: str) -> int:
    """Return the number that digits in the name of a tensor write; few digits, so that no set can be made of numbers
    that collide.

    Raises:
        ValueError: if they are not 1 to 6 decimal digits.

    Example:
        >>> parse_number("12")
        12
    """
    if not digits.isdecimal() or len(digits) > 6:
        raise ValueError(f"a number in the name of a tensor must have 1 to 6 digits, got {quote(digits)}")
    return int(digits)


@contextlib.contextmanager
def limit_modules(numbers: int = NUMBERS, parts: int = PARTS) -> Iterator[None]:
    """Open a block in which modules can be built as long as they are small.

    A constructor registers what it makes as it goes, so that one that would make too much is stopped early. Modules
    that other threads build do not count.

    Arguments:
        numbers: Entries of parameters and buffers, at most.
        parts: Parameters, buffers and modules, at most.

    Raises:
        ValueError: in the constructor, as soon as there are more.

    Example:
        >>> with limit_modules(numbers=10):
        ...     layer = nn.Linear(3, 4)
        Traceback (most recent call last):
        ValueError: it would have more than 10 numbers, or 100000 parts
    """
    thread, spent = threading.get_ident(), {"numbers": 0, "parts": 0}

    def count(owner: nn.Module, name: str, part: Tensor | nn.Module | None) -> None:
        if threading.get_ident() != thread:
            return
        spent["parts"] += 1
        spent["numbers"] += part.numel() if isinstance(part, Tensor) else 0
        if spent["numbers"] > numbers or spent["parts"] > parts:
            raise ValueError(f"it would have more than {numbers} numbers, or {parts} parts")

    with contextlib.ExitStack() as hooks:
        for kind in ("parameter", "buffer", "module"):
            hooks.enter_context(getattr(registration, f"register_module_{kind}_registration_hook")(count))
        yield
