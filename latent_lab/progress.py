"""Progress of long loops: a bar on a terminal, elsewhere a line every half minute.

Both are for those who listen: commands, and programs that have set the level of the logger ``latent_lab`` to INFO.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from latent_lab.console import escape_text, log

T = TypeVar("T")
EVERY = 30.0  # seconds between two lines
REFRESHED = 0.2  # seconds between two pictures of a bar


def duration(seconds: float) -> str:
    """Return a time as one reads it.

    >>> duration(42), duration(90), duration(250), duration(9000)
    ('42 s', '90 s', '4 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class Progress:
    """The progress of one loop, shown while the context is open.

    Arguments:
        name: Name of the loop.
        total: Number of its last step.
        done: Steps that an earlier attempt has done.
    """

    drawing = False  # a terminal has room for one bar

    def __init__(self, name: str, total: int, done: int = 0) -> None:
        self.name, self.total, self.first = escape_text(name), total, done
        self.bar: Bar | None = None

    def __enter__(self) -> Progress:
        self.begun = self.shown = time.monotonic()
        console = Console()
        listened = log.isEnabledFor(logging.INFO)
        if listened and console.is_terminal and not Progress.drawing:
            columns = (TextColumn("{task.description}", markup=False), BarColumn(20))
            columns += (TextColumn("{task.fields[told]}", markup=False),)
            self.bar = Bar(*columns, console=console, transient=True)
            self.task = self.bar.add_task(self.name, total=self.total, completed=self.first, told=self.told(self.first))
            self.bar.start()
            Progress.drawing = True
        self.pause = REFRESHED if self.bar is not None else EVERY if listened else float("inf")
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar, Progress.drawing = None, False

    def told(self, done: int, note: str = "") -> str:
        """Return how far the loop is, in words."""
        parts = [f"step {done}/{self.total}", note]
        if done > self.first:
            left = (time.monotonic() - self.begun) / (done - self.first) * (self.total - done)
            parts.append(f"{duration(left)} left")
        return ", ".join(part for part in parts if part)

    def update(self, done: int, note: Callable[[], str] = str) -> None:
        """Show that so many steps are done, if it is time to.

        Arguments:
            done: Steps, with those of earlier attempts.
            note: What else is shown; it is asked only where it is.
        """
        if time.monotonic() < self.shown + self.pause:
            return
        self.shown = time.monotonic()
        if self.bar is not None:
            self.bar.update(self.task, completed=done, told=self.told(done, note()))
        else:
            log.info(f"{self.name}: {self.told(done, note())}")


def track(steps: Sequence[T], name: str) -> Iterator[T]:
    """Iterate over steps and show the progress.

    Arguments:
        steps: What is iterated over; a range that begins above 0 goes on where an earlier attempt stopped.
        name: Name of the loop.
    """
    first = steps.start if isinstance(steps, range) and steps.step == 1 else 0
    with Progress(name, first + len(steps), first) as shown:
        for done, step in enumerate(steps, first + 1):
            yield step
            shown.update(done)
