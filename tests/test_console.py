"""What is printed is one line, on any terminal."""

from __future__ import annotations

import io
import sys

import pytest

from latent_lab.console import escape_text, log, printed


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\rb\nc", "a\x9bb", "\u202eabc", "a\u2028b", "\udcff", "\x00", "a\tb"])
def test_nothing_reaches_a_terminal_that_it_would_obey(text, capsys):
    assert escape_text(text).isprintable()
    with printed():
        log.info(text)
    assert capsys.readouterr().out == f"latent_lab: {escape_text(text)}\n"


def test_errors_go_to_the_other_stream(capsys):
    with printed():
        log.warning("a")
    assert capsys.readouterr() == ("", "latent_lab: a\n")


def test_a_terminal_without_the_letters_shows_escapes(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with printed():
        log.info("größe 日本")
    assert stream.buffer.getvalue() == b"latent_lab: gr\\xf6\\xdfe \\u65e5\\u672c\n"


def test_from_python_nothing_is_printed_unless_logging_is_configured(unconfigured, capsys, caplog):
    log.info("a")
    assert capsys.readouterr().out == "" and not caplog.messages
    with caplog.at_level("INFO", "latent_lab"):
        log.info("b")
    assert caplog.messages == ["b"] and capsys.readouterr().out == ""


def test_commands_within_commands_print_once_and_leave_the_logger_as_it_was(capsys):
    before = log.level, log.propagate, list(log.handlers)
    with printed(), printed():
        log.info("a")
    assert capsys.readouterr().out == "latent_lab: a\n"
    assert (log.level, log.propagate, log.handlers) == before
