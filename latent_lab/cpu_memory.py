"""Keeps the memory of freed tensors, as accelerators' allocators do."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # glibc's malloc.h


def keep_freed_memory() -> None:
    """The C library keeps what is freed for the next tensor, until the process ends.

    Left to itself glibc hands a tensor of 32 MB or more back to the system and asks for new pages for the next one;
    clearing them costs more than most passes over an image's features do. Other C libraries are left alone.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(MMAP_MAX, 0)
    mallopt(TRIM_THRESHOLD, -1)
    mallopt(TOP_PAD, 64 * 2**20)
