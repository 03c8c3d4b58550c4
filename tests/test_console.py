"""What is printed is one line, on any terminal."""

from __future__ import annotations

import io
import sys

import pytest

from latent_lab.console import say, visible


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\rb\nc", "a\x9bb", "\u202eabc", "a\u2028b", "\udcff", "\x00", "a\tb"])
def test_nothing_reaches_a_terminal_that_it_would_obey(text, capsys):
    assert visible(text).isprintable()
    say(text)
    assert capsys.readouterr().out == f"latent_lab: {visible(text)}\n"


def test_errors_go_to_the_other_stream(capsys):
    say("a", error=True)
    assert capsys.readouterr() == ("", "latent_lab: a\n")


def test_a_terminal_without_the_letters_shows_escapes(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    say("größe 日本")
    assert stream.buffer.getvalue() == b"latent_lab: gr\\xf6\\xdfe \\u65e5\\u672c\n"
