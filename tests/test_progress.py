"""Progress is a bar on a terminal, lines elsewhere, and nothing where nobody listens."""

from __future__ import annotations

import io
import re
import sys

import pytest

from latent_lab import progress
from latent_lab.console import printed
from latent_lab.progress import Progress, track


@pytest.fixture
def clock(monkeypatch):
    """Ten seconds pass whenever somebody asks for the time."""
    seconds = iter(range(0, 10**6, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(seconds)))


def test_without_a_terminal_there_is_a_line_every_half_minute(clock, capsys):
    with printed():
        assert list(track(range(12), "a\x1b[31m")) == list(range(12))
    lines = capsys.readouterr().out.splitlines()
    assert 1 < len(lines) < 6
    assert all(re.fullmatch(r"latent_lab: a\\x1b\[31m: step \d+/12, \d+ (s|min) left", line) for line in lines)


def test_a_loop_that_goes_on_counts_the_steps_before(clock, capsys):
    with printed():
        assert list(track(range(5, 9), "a")) == [5, 6, 7, 8]
    assert re.match(r"latent_lab: a: step [6-9]/9, ", capsys.readouterr().out)


def test_from_python_nothing_is_shown(unconfigured, clock, capsys):
    assert list(track("abc", "a")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_one_bar_that_goes_away(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(progress, "REFRESHED", 0.0)
    with printed(), Progress("outer", 3) as outer:
        with Progress("inner", 2) as inner:  # rich refuses a second one
            inner.update(1)
        outer.update(2, lambda: "loss 0.5")
        outer.bar.refresh()
    assert re.search(r"outer .*step 2/3, loss 0.5, \d+ s left", stream.getvalue())
    assert "inner" not in stream.getvalue() and not Progress.drawing


def test_what_is_not_shown_is_not_computed():
    with Progress("a", 2) as shown:
        shown.update(1, lambda: pytest.fail("it was"))
