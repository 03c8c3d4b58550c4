"""Folders and files of strangers: each picture once, nothing that blocks, no end without end."""

from __future__ import annotations

import os
import socket
import struct
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from latent_lab.data.folder import FolderImages
from latent_lab.data.pictures import find_pictures, read_photograph
from latent_lab.names import LONGEST, make_file_name, normalise_name, require_file_name
from latent_lab.picture_files import FORMATS, find_files, identify_file

pytestmark = pytest.mark.usefixtures("spoken")


def picture(file: Path, value: int = 100) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((16, 20, 3), value, np.uint8)).save(file, "PNG")
    return file


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file whose header says a size, without pixels."""
    made = b"\x89PNG\r\n\x1a\n"
    for kind, content in ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), *chunks, (b"IEND", b"")):
        made += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return made


def data_of(folder: Path, **options) -> FolderImages:
    data = FolderImages(str(folder), **{"resolution": 8, "held_out": 1, "batch_size": 1} | options)
    data.setup()
    return data


def files_of(data: FolderImages) -> list[Path]:
    return [*data.train_pictures.files, *data.held_out_pictures.files]


@pytest.fixture
def folder(tmp_path) -> Path:
    for number in range(4):
        picture(tmp_path / "in" / "ab"[number % 2] / f"{number}.png", number)
    return tmp_path / "in"


@pytest.mark.parametrize(
    "links",
    [
        {"self": "."},
        {"one": ".", "two": "."},
        {"a/up": "..", "b/up": ".."},
        {"out": "../.."},
        {"root": "/"},
        {"a/other": "../b", "b/other": "../a"},
        {"0.png": "a/0.png", "z.png": "b/1.png", "chain.png": "z.png"},
        {"in": "../in"},
    ],
)
def test_links_show_no_picture_twice(folder, links):
    plain = {file.relative_to(folder).as_posix() for file in find_files(folder, FORMATS)}
    for link, target in links.items():
        (folder / link).symlink_to(target)
    found = list(find_files(folder, FORMATS))
    assert sorted(file.relative_to(folder).as_posix() for file in found) == sorted(plain) and len(plain) == 4
    assert {identify_file(file) for file in files_of(data_of(folder))} == {
        identify_file(file) for file in found
    } and len(found) == 4
    assert len(find_pictures(str(folder))) == 4


def test_a_hard_link_is_the_same_picture(folder):
    os.link(folder / "a" / "0.png", folder / "b" / "again.png")
    files = files_of(data_of(folder))
    assert len(files) == 4 == len(set(map(identify_file, files))) == len(find_pictures(str(folder)))
    twice = [str(folder / "a" / "0.png"), str(folder / "b" / "again.png"), str(folder), str(folder / "a" / "*.png")]
    assert len(find_pictures(twice)) == 4


def test_a_folder_of_pictures_elsewhere_is_followed_once(folder):
    picture(folder.parent / "elsewhere" / "sub" / "far.png")
    for link in ("far1", "far2", "b/far3"):
        (folder / link).symlink_to(folder.parent / "elsewhere")
    (folder.parent / "elsewhere" / "back").symlink_to(folder)
    found = [file.relative_to(folder).as_posix() for file in find_files(folder, FORMATS)]
    assert (
        found == ["a/0.png", "a/2.png", "b/1.png", "b/3.png", "b/far3/sub/far.png"] or found[-1] == "far1/sub/far.png"
    )
    assert len(found) == 5 and found == [file.relative_to(folder).as_posix() for file in find_files(folder, FORMATS)]


def test_a_folder_of_any_depth_has_an_end(tmp_path):
    place = os.open(tmp_path, os.O_RDONLY)
    for _ in range(60):  # deeper than a path may be long
        os.mkdir("x" * 200, dir_fd=place)
        below = os.open("x" * 200, os.O_RDONLY, dir_fd=place)
        os.close(os.open("a.png", os.O_CREAT, dir_fd=below))
        os.close(place)
        place = below
    os.close(place)
    assert 5 < len(list(find_files(tmp_path, FORMATS))) < 60 and len(find_pictures(str(tmp_path))) < 60


def test_a_folder_may_be_a_link_itself(folder):
    (folder.parent / "link").symlink_to(folder)
    assert (
        len(list(find_files(folder.parent / "link", FORMATS))) == 4 == len(find_pictures(str(folder.parent / "link")))
    )


def test_pipes_sockets_and_links_to_nowhere_are_said_and_left_out(folder, capsys, monkeypatch):
    os.mkfifo(folder / "pipe.png")
    (folder / "nowhere.png").symlink_to("none.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "device.png").symlink_to("/dev/zero")
    monkeypatch.chdir(folder)  # the name of a socket may have 100 bytes
    with socket.socket(socket.AF_UNIX) as end:
        end.bind("socket.png")
        data = data_of(folder)
        names = find_pictures(str(folder))
    assert len(files_of(data)) == 4
    (line,) = capsys.readouterr().out.splitlines()
    assert "5 of 9 pictures" in line and "(it is no plain file)" in line
    assert set(names) == {"a-0", "a-2", "b-1", "b-3", "pipe", "nowhere", "loop", "device", "socket"}
    for name in ("pipe", "device", "socket"):
        with pytest.raises(ValueError, match=rf"^images must be files or folders, but .*{name}\.png is no plain file$"):
            read_photograph(names[name])
        with pytest.raises(ValueError, match=rf"{name}\.png is no plain file$"):
            find_pictures(str(names[name]))
    for name in ("nowhere", "loop"):
        with pytest.raises(FileNotFoundError, match="which does not exist"):
            read_photograph(names[name])


def test_too_many_pixels_are_refused_from_the_header_without_a_warning(folder, capfd):
    for name, size in {"wide": (100_000_000, 1), "square": (13_370, 13_370), "bomb": (2**31 - 1, 2**31 - 1)}.items():
        (folder / f"{name}.png").write_bytes(png(*size))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = data_of(folder)
        for name in ("wide", "square", "bomb"):
            with pytest.raises(ValueError, match=rf"{name}\.png cannot be read as a picture \(.* pixels|megapixels"):
                read_photograph(folder / f"{name}.png")
    assert len(files_of(data)) == 4
    said = capfd.readouterr()
    assert (
        "3 of 7" in said.out
        and "179 megapixels, more than the 89 that are decoded; make it smaller" in said.out
        and said.err == ""
    )


def test_a_line_of_pixels_cannot_be_shown_whole_and_stops_no_training(tmp_path):
    picture(tmp_path / "fine.png")
    Image.new("RGB", (1, 4000)).save(tmp_path / "line.png")
    data = data_of(tmp_path, smallest=1, preparation="whole", held_out=0)
    assert [file.name for file in files_of(data)] == ["fine.png"]
    assert len(data_of(tmp_path, smallest=1, held_out=0).train_split()[0]) == 2


def test_huge_chunks_and_files_are_no_load(tmp_path):
    bomb = zlib.compress(bytes(1 << 28), 9)
    pixels = zlib.compress(b"".join(b"\0" + bytes(48) for _ in range(16)))
    for name, chunk in {
        "profile": (b"iCCP", b"p\0\0" + bomb),
        "text": (b"zTXt", b"t\0\0" + bomb),
        "words": (b"iTXt", b"t\0\1\0\0\0" + bomb),
    }.items():
        (tmp_path / f"{name}.png").write_bytes(png(16, 16, chunk, (b"IDAT", pixels)))
        start = time.perf_counter()
        try:
            assert read_photograph(tmp_path / f"{name}.png")[0].size == (16, 16)
        except ValueError as error:
            assert "cannot be read as a picture (" in str(error) and "\n" not in str(error)
        assert time.perf_counter() - start < 5
    with (tmp_path / "large.png").open("wb") as stream:
        stream.truncate(1 << 40)  # of holes
    with pytest.raises(
        ValueError, match=r"large\.png cannot be read as a picture \(1024\.0 GiB, more than the 1 that is read\)"
    ):
        read_photograph(tmp_path / "large.png")


def many_directories(file: Path, count: int) -> None:
    """A TIFF file of one pixel whose directories lead to ever more."""
    entries = [
        (256, 3, 1, 1),
        (257, 3, 1, 1),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (278, 3, 1, 1),
        (279, 4, 1, 1),
    ]
    size = 2 + 12 * len(entries) + 4
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    with file.open("wb") as stream:
        stream.write(b"II*\0" + struct.pack("<I", 12) + b"\x80\0\0\0")
        for number in range(count):
            stream.write(body + struct.pack("<I", 12 + size * (number + 1) if number < count - 1 else 0))


def test_frames_are_not_counted_without_end(tmp_path):
    many_directories(tmp_path / "many.tif", 150_000)
    frames = [Image.new("L", (4, 4), value % 256) for value in range(2000)]
    frames[0].save(tmp_path / "many.gif", save_all=True, append_images=frames[1:])
    for name in ("many.tif", "many.gif"):
        start = time.perf_counter()
        image, notes = read_photograph(tmp_path / name)
        assert notes == ["its first frame of more than 8"] and time.perf_counter() - start < 2 and image.size[0] < 5
    many_directories(tmp_path / "few.tif", 3)
    assert read_photograph(tmp_path / "few.tif")[1] == ["its first frame of 3"]
    frames[0].save(tmp_path / "many.png", save_all=True, append_images=frames[1:30])
    assert read_photograph(tmp_path / "many.png")[1] == ["its first frame of 30"]


@pytest.mark.parametrize(
    "noted",
    [b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0MM\0*" + b"\xff" * 64, b"Exif\0\0II*\0\x08\0\0\0" + b"\xff\xff" * 500],
)
def test_notes_of_the_camera_that_cannot_be_read_are_left_alone(tmp_path, noted):
    Image.new("RGB", (20, 16), "white").save(tmp_path / "a.jpg", exif=noted)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_photograph(tmp_path / "a.jpg")[1] == []
        data = data_of(tmp_path, held_out=0)
        assert len(data.train_split()[0]) == 1


STRANGE = [
    "x" * 245,
    "ä" * 120,
    "a\nb",
    "a\x1b[31m",
    "-rf",
    "=1+1",
    "$a_b^$",
    "overview",
    "a",
    "A",
    "a_walks",
    "ends.",
    "a\u202eb",
    "CON",
    "a'b\"c",
]


def test_any_legal_name_is_a_picture_of_a_plain_name(tmp_path):
    for name in STRANGE:
        picture(tmp_path / f"{name}.png")
    picture(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png")))
    names = find_pictures(str(tmp_path))
    assert len(names) == len(STRANGE) + 1 == len(set(names.values())) == len({normalise_name(name) for name in names})
    for name, file in names.items():
        assert require_file_name(name, "name") == name and len(name.encode()) <= LONGEST
        assert read_photograph(file)[0].size == (20, 16)
    assert {make_file_name(name) for name in STRANGE} - set(names) == {"a", "A", "a_b"}  # which two files would have
    assert names == find_pictures(str(tmp_path))
    data = data_of(tmp_path, held_out=3)
    assert len(files_of(data)) == len(names) and data.train_split()[0].shape[0] == len(names) - 3


def test_names_do_not_depend_on_what_lies_beside(tmp_path):
    first = picture(tmp_path / "A.png")
    picture(tmp_path / "a.png")
    (name,) = (name for name, file in find_pictures(str(tmp_path)).items() if file == first)
    picture(tmp_path / "A.PNG")
    picture(tmp_path / "0.png")
    assert find_pictures(str(tmp_path))[name] == first


def test_texts_of_a_png_are_no_part_of_the_picture(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * 1000, zip=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    assert read_photograph(tmp_path / "a.png")[1] == []
