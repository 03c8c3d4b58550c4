"""Write docs/reference/keys.md: every key of ``gan``, ``dataset`` and ``trainer``, its kind and its meaning.

python docs/scripts/keys.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from latent_lab.configuration.kinds import Built, Key, describe_kind, list_alternatives
from latent_lab.configuration.schema import DATASET, GAN, TRAINER

PAGE = Path(__file__).resolve().parents[1] / "reference" / "keys.md"
HEAD = """\
# The keys of `gan`, `dataset` and `trainer`

A key in brackets may be left out. A key that is missing or of another kind is named before anything starts.
Of `trainer`, every other argument of Lightning's `Trainer` may be given too.

This page is made by `python docs/scripts/keys.py` from `latent_lab/configuration/schema.py`; a test compares them.
"""


def describe(kind: object) -> str:
    """Return the kind of a key in words."""
    found = list_alternatives(kind)
    words = [one.base.rpartition(".")[2] if isinstance(one, Built) else describe_kind(one) for one in found]
    return " or ".join(dict.fromkeys(f"a `{word}`" if word[:1].isupper() else word for word in words if word))


def rows(schema: Mapping[str, object], above: str) -> Iterator[str]:
    """Yield a row of the table for each key, those of dictionaries after their own names."""
    for name, kind in schema.items():
        key = f"{above}.{name.rstrip('?')}"
        shown = f"[`{key}`]" if name.endswith("?") else f"`{key}`"
        if isinstance(kind, Key):
            yield f"| {shown} | {describe(kind).replace('|', chr(92) + '|')} | {kind.about.replace('<', '&lt;')} |"
        elif isinstance(kind, Mapping):
            yield from rows(kind, key)


def page() -> str:
    """Return the whole page."""
    tables = (
        "\n".join([f"## {name}\n", "| key | kind | meaning |", "|---|---|---|", *rows(schema, name)])
        for name, schema in (("gan", GAN), ("dataset", DATASET), ("trainer", TRAINER))
    )
    return "\n\n".join([HEAD.rstrip(), *tables]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(PAGE)
