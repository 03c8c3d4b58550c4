"""Griffe extension: the reStructuredText in docstrings becomes the Markdown that the site is made of."""

from __future__ import annotations

import re
from typing import Any

import griffe

MATH_BLOCK = re.compile(r"^( *)\.\. math::(.*(?:\n(?:\1 +.*| *(?=\n\1 +\S)))*)", re.MULTILINE)
ROLE = re.compile(r":(?:class|data|func|meth|mod|attr|exc):`~?(?:[\w.]+\.)?([\w]+)`")
MATH = re.compile(r":math:`([^`]+)`")
REFERENCE = re.compile(r"^( *)\| (.*)$", re.MULTILINE)
ADDRESS = re.compile(r"(?<![<(\w])(https?://[^\s)>]+)")
JOINT = re.compile(r"^( +)(\w+(?:, \w+)+): (.*(?:\n\1 +.*)*)", re.MULTILINE)
SAMPLE = re.compile(r"^( *)>>> .*(?:\n\1\S.*)*", re.MULTILINE)
LITERAL = re.compile(r"::$", re.MULTILINE)


def markdown(text: str) -> str:
    """Return a docstring with formulas between dollars, names as code, and references as lists of links."""
    text = SAMPLE.sub(lambda match: f"{match[1]}```pycon\n{match[0]}\n{match[1]}```", text)
    text = MATH_BLOCK.sub(_block, text)
    text = MATH.sub(lambda match: f"${match[1].strip()}$", text)
    text = ROLE.sub(r"`\1`", text)
    text = REFERENCE.sub(r"\1- \2", text)
    text = LITERAL.sub(":", text)
    text = JOINT.sub(_each, text)
    return ADDRESS.sub(r"<\1>", text)


def _block(match: re.Match[str]) -> str:
    indent, formula = match[1], " ".join(match[2].split())
    return f"{indent}$$\n{indent}{formula}\n{indent}$$"


def _each(match: re.Match[str]) -> str:
    """Give arguments that share a line (``low, high: Ends of the range.``) one each, so that each name is checked."""
    names = match[2].split(", ")
    if names[-1] == "options":  # names that go through **options are no parameters of their own
        return f"{match[1]}options: {', '.join(f'`{name}`' for name in names[:-1])} and others. {match[3]}"
    return "\n".join(f"{match[1]}{name}: {match[3]}" for name in names)


class Markdown(griffe.Extension):
    """Translate every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if not obj.docstring:
            return
        text = markdown(obj.docstring.value)
        if obj.is_class and "NamedTuple" in map(str, obj.bases):  # whose fields griffe takes for attributes alone
            text = text.replace("Arguments:\n", "Attributes:\n")
        obj.docstring.value = text
