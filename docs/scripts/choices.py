"""Write docs/reference/choices.md: every group of ``conf/``, its choices, and the first line of each yaml.

python docs/scripts/choices.py
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
PAGE = ROOT / "docs" / "reference" / "choices.md"
PRIVATE = ("base", "hydra")  # what other yamls are made of, and how Hydra is set up
HEAD = """\
# Every choice

Each row is a yaml in `conf/`, and its first line. `<group>=<choice>` on a command line takes it,
`<group>.<key>=<value>` sets one of its keys; an experiment, a sweep and `debug` set keys of several groups.
Not every command takes every group: `python -m latent_lab.<command> --help` lists those that it takes.

This page is made by `python docs/scripts/choices.py`; a test compares it with the yamls.
"""
COMMANDS = """\
## Commands

A yaml beside the folders is a command: `python -m latent_lab.<command>`.

| command | what it does |
|---|---|
"""


def first_line(file: Path) -> str:
    """Return the first comment of a yaml, without Hydra's own header (``# @package``), which must come before it."""
    for line in file.read_text().splitlines():
        if not line.startswith("#"):
            break
        text = line.lstrip("#").strip()
        if not text.startswith("@"):
            return text
    raise ValueError(f"{file.relative_to(ROOT)} must begin with a comment that says what it is")


def table(files: list[Path], folder: Path) -> str:
    """Return a table with a row for each file, named as it is typed."""
    rows = [f"| `{file.relative_to(folder).with_suffix('')}` | {cell(first_line(file))} |" for file in files]
    return "\n".join(["| choice | what it is |", "|---|---|", *rows])


def cell(text: str) -> str:
    """Return a text as a cell of a table shows it: a bar ends no cell, and ``<file>`` is no tag."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def purpose(file: Path) -> str:
    """Return what a command does: what its first line says after the example of a call."""
    text = first_line(file).rpartition(": ")[2]
    return text[0].upper() + text[1:]


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for folder in sorted(path for path in CONF.iterdir() if path.is_dir() and path.name not in PRIVATE):
        files = sorted(file for file in folder.rglob("*.yaml") if not set(PRIVATE) & set(file.relative_to(CONF).parts))
        parts.append(f"## {folder.name}\n\n{table(files, folder)}\n")
    rows = "\n".join(f"| `{file.stem}` | {cell(purpose(file))} |" for file in sorted(CONF.glob("*.yaml")))
    return "\n".join([*parts, f"{COMMANDS}{rows}\n"])


if __name__ == "__main__":
    PAGE.write_text(page())
