"""Tables of attributes in the forms that data sets have."""

from __future__ import annotations

import os

import pytest
import torch

from latent_lab.data.tables import match_rows, read_table


def test_celebas_list(tmp_path):
    (tmp_path / "list.txt").write_text("2\nSmiling Young\n0.jpg  -1  1\n1.jpg   1 -1\n")
    assert read_table(tmp_path / "list.txt") == (["Smiling", "Young"], {"0.jpg": [-1.0, 1.0], "1.jpg": [1.0, -1.0]})


def test_values_with_confidences_and_names_beside(tmp_path):
    (tmp_path / "attributes.txt").write_text("dirty\ndaylight\n")
    (tmp_path / "annotations.tsv").write_text("00000064/1.jpg\t0.2,0.9\t0.75,0.6\n")
    names, table = read_table(tmp_path / "annotations.tsv")
    assert names == ["dirty", "daylight"] and table == {"00000064/1.jpg": [0.2, 0.75]}


def test_rows_are_found_by_the_last_parts_of_a_path():
    table = {"64/1.jpg": [1.0], "2.jpg": [2.0]}
    assert match_rows(["aligned/64/1.jpg", "x/y/2.jpg", "65/1.jpg"], table) == [
        torch.tensor([1.0]),
        torch.tensor([2.0]),
        None,
    ]


def test_a_row_of_two_pictures_is_refused():
    with pytest.raises(ValueError, match=r"row '1\.jpg' must belong to one picture, got a/1\.jpg and b/1\.jpg"):
        match_rows(["a/1.jpg", "b/1.jpg"], {"1.jpg": [1.0]})


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.txt", "Smiling\n0.jpg 1\n", r"a\.txt must be a \.csv, a \.tsv, or a list as CelebA's"),
        ("a.txt", "3\nSmiling\n0.jpg 1\n", r"must hold the 3 rows that its first line says, got 1"),
        ("a.csv", "", r"must have different names of attributes, got \[\]"),
        ("a.csv", "file,age,age\n", r"must have different names of attributes, got \['age', 'age'\]"),
        ("a.csv", "file,age\n0.jpg,old\n", r"must hold numbers after a picture's name, got \['old'\] in row 1"),
        ("a.csv", "file,age\n0.jpg,nan\n", r"must hold finite numbers of single precision, got \['nan'\] in row 1"),
        (
            "a.csv",
            "file,age\n0.jpg,1\n1.jpg,-inf\n",
            r"must hold finite numbers of single precision, got \['-inf'\] in row 2",
        ),
        ("a.csv", "file,age\n0.jpg,1e39\n", r"must hold finite numbers of single precision, got \['1e39'\] in row 1"),
        ("a.txt", "1\nSmiling\n0.jpg 1e999\n", r"must hold finite numbers of single precision"),
        ("a.txt", "²\nSmiling\n0.jpg 1\n", r"a\.txt must be a \.csv, a \.tsv, or a list as CelebA's"),
        ("a.txt", "9" * 5000 + "\nSmiling\n0.jpg 1\n", r"a\.txt must be a \.csv, a \.tsv, or a list as CelebA's"),
        (
            "a.csv",
            "file,age\n" + "x" * 200_000 + ",1\n",
            r"must be a table of short cells, got one that cannot be read \(field larger than",
        ),
        ("a.csv", "file,age\n" + "x," * 600_000 + "\n", r"must have lines of at most 1048576 characters, got 1200000"),
        (
            "a.csv",
            "file,age\n0.jpg," + "y" * 10_000 + "\n",
            r"must hold numbers after a picture's name, got \['y{40}\.\.\.'\] in row 1",
        ),
        ("a.csv", "file,age\n0.jpg,1,2\n", r"must hold 1 values a row, got 2 in row 1"),
    ],
)
def test_other_content_is_refused_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        read_table(tmp_path / name)
    assert "\n" not in str(error.value)


def test_names_may_hold_what_other_programs_take_for_the_end_of_a_line(tmp_path):
    (tmp_path / "a.csv").write_text("file,age\na\u2028b\x0b.jpg,1\n", encoding="utf-8")
    assert read_table(tmp_path / "a.csv")[1] == {"a\u2028b\x0b.jpg": [1.0]}


@pytest.mark.parametrize("name", ["a.csv", "attributes.txt"])
def test_a_pipe_and_a_large_file_are_refused_before_they_are_read(tmp_path, name):
    (tmp_path / "a.csv").write_text("0.jpg,1\n")
    (tmp_path / name).unlink(missing_ok=True)
    with (tmp_path / name).open("wb") as stream:
        stream.truncate(1 << 40)  # of holes
    with pytest.raises(ValueError, match=rf"{name} must have at most 268435456 bytes, got 1099511627776"):
        read_table(tmp_path / "a.csv")
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    if name == "a.csv":
        with pytest.raises(ValueError, match=r"a\.csv must be a plain file"):
            read_table(tmp_path / name)
