"""Any text becomes one plain part of a path, and what is none is refused in one line."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from latent_lab.names import LONGEST, digest, make_file_name, make_file_names, normalise_name, require_file_name

STRANGE = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/",
    "a/b",
    "a\0b",
    ".hidden",
    "-rf",
    "--.x",
    "ends.",
    "ends ",
    " . . ",
    "a\nb",
    "a\x1b[31mred",
    "a\u202eb",
    "a\u2028b",
    "\udcff.png",
    "\ud800",
    "x" * 245,
    "ä" * 200,
    "😀" * 99,
    "." * 300,
    "\udc80" * 300,
]


@pytest.mark.parametrize("text", STRANGE)
def test_any_text_becomes_a_file_in_its_own_folder(text, tmp_path):
    name = make_file_name(text)
    file = tmp_path / f".{name}.safetensors.1234567890.partial"
    file.write_bytes(b"")
    assert file.parent == tmp_path and [entry.name for entry in tmp_path.iterdir()] == [file.name]
    assert (
        0 < len(name.encode()) <= LONGEST
        and name.isprintable()
        and not name.startswith((".", "-"))
        and not name.endswith((".", " "))
    )
    assert make_file_name(name) == name == require_file_name(name, "name")


@pytest.mark.parametrize(
    "name", ["a", "CON", "a_b^$", "=1+1", "größe 2", "a.b-c", "日本", "x" * LONGEST, "ä" * (LONGEST // 2), "overview"]
)
def test_plain_names_stay_as_they_are(name):
    assert make_file_name(name) == name == require_file_name(name, "name")


def test_long_names_are_cut_between_characters_and_marked_by_the_whole():
    for letter in ("x", "ä", "日", "😀"):
        text = letter * 245
        name = make_file_name(text)
        head, _, mark = name.rpartition("-")
        assert head == letter * (91 // len(letter.encode())) and mark == hashlib.sha256(text.encode()).hexdigest()[:8]
    names = {make_file_name("x" * 240 + str(number)) for number in range(100)}
    assert len(names) == 100


def test_a_file_system_may_ignore_case_and_how_accents_are_written():
    assert normalise_name("Ä") == normalise_name("a\u0308") and normalise_name("STRASSE") == normalise_name(
        "straße"
    ) != normalise_name("strase")


def test_names_of_several_files_are_different_where_case_is_ignored():
    names = make_file_names([*STRANGE, "A", "a", "b", "a\n", "a_"])
    assert names["b"] == "b" and names["A"] == f"A-{digest('A')}" and names["a\n"] == f"a_-{digest(chr(97) + chr(10))}"
    assert len({normalise_name(name) for name in names.values()}) == len(names)
    assert all(require_file_name(name, "name") == name for name in names.values())


@pytest.mark.parametrize("text", [*STRANGE, 3, None, b"a"])
def test_other_names_are_refused_in_one_line(text):
    with pytest.raises(
        ValueError, match=r"^label must be a plain name of a file, of at most 100 bytes .*, got "
    ) as error:
        require_file_name(text, "label")
    message = str(error.value)
    assert message.isprintable() and len(message) < 320


def test_names_need_no_torch():
    code = "import sys, latent_lab.names; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
