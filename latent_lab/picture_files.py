"""Files that may be pictures: each real one once, and refused before it blocks, warns or fills the memory."""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path

from PIL import Image

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".bmp": "BMP"}
FILES = FORMATS | {".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF"}
DAMAGED = Exception  # Pillow's readers raise a dozen unrelated classes where a file is not what it says
LARGEST = 1 << 30  # bytes of a file: 89 megapixels of 16 bits and four channels take 0.7 of them
# what undoes an orientation as cameras note it
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def identify_file(file: Path | str) -> tuple[int, int] | None:
    """Return the device and inode that a path leads to, equal for all names of one file; None if it leads nowhere."""
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def find_files(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Yield the files of a folder and its sub-folders that end in one of the suffixes, each real file once, in fixed
    order.

    Of a file's several names the first one counts: those in the folder itself come first, then those that symbolic
    links lead to. A link to a folder elsewhere is followed once. A link to a folder that was seen, or that contains
    this one, is not. Names that start with a dot are left out. What is no regular file, or leads nowhere, is yielded
    too: :func:`open_picture` reports it.
    """
    parents = Path(os.path.realpath(folder)).parents
    seen, links = {identify_file(place) for place in (folder, *parents)}, deque()

    def new(found: os.stat_result) -> bool:
        identity = found.st_dev, found.st_ino
        return identity not in seen and not seen.add(identity)

    def wanted(name: str) -> bool:
        return os.path.splitext(name)[1].lower() in suffixes

    def walk(start: Path) -> Iterator[Path]:
        waiting = [start]
        while waiting:
            place = waiting.pop()
            try:
                names = sorted(os.listdir(place))
            except OSError:  # one that this user may not read
                continue
            deeper = []
            for name in names:
                if name.startswith("."):
                    continue
                file = place / name
                try:
                    found = os.lstat(file)
                except OSError:  # deleted meanwhile, or too deep for a path
                    continue
                if stat.S_ISLNK(found.st_mode):
                    links.append(file)
                elif stat.S_ISDIR(found.st_mode):
                    deeper += [file] if new(found) else []
                elif wanted(name) and new(found):
                    yield file
            waiting += reversed(deeper)

    yield from walk(folder)
    while links:
        link = links.popleft()
        try:
            found = os.stat(link)
        except OSError:
            found = None
        if found is not None and stat.S_ISDIR(found.st_mode):
            if new(found):
                yield from walk(link)
        elif wanted(link.name) and (found is None or new(found)):
            yield link


def open_picture(file: Path | str, formats: Collection[str]) -> Image.Image:
    """Open a picture and read its header.

    Arguments:
        file: The picture's file.
        formats: Pillow's names of the formats to try.

    Raises:
        ValueError: It is no plain file, or has more than ``LARGEST`` bytes or ``PIL.Image.MAX_IMAGE_PIXELS`` pixels.
        Exception: Whatever Pillow raises.
    """
    found = os.stat(file)
    if not stat.S_ISREG(found.st_mode):  # a pipe would wait for ever
        raise ValueError("it is no plain file")
    if found.st_size > LARGEST:
        raise ValueError(f"{found.st_size / 2**30:.1f} GiB, more than the {LARGEST / 2**30:.0f} that is read")
    picture = Image.open(file, formats=sorted(set(formats)))
    pixels, most = picture.width * picture.height, Image.MAX_IMAGE_PIXELS
    if most is not None and pixels > most:
        picture.close()
        raise ValueError(
            f"{pixels / 1e6:.0f} megapixels, more than the {most / 1e6:.0f} that are decoded; make it smaller"
        )
    return picture


def read_orientation(picture: Image.Image) -> int:
    """Return how the camera was held, 1 to 8 as EXIF counts; 1 (upright) if that is missing or cannot be read."""
    try:
        noted = picture.getexif().get(0x0112, 1)
    except DAMAGED:
        return 1
    return noted if noted in TURNS else 1


def turn_upright(picture: Image.Image) -> Image.Image:
    """Decode a picture and turn it as the camera noted."""
    turn = TURNS.get(read_orientation(picture))
    return picture if turn is None else picture.transpose(turn)


@contextlib.contextmanager
def silence_pillow() -> Iterator[None]:
    """Ignore Pillow's warnings within this block. Several threads must not enter it at once."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


def describe_error(error: Exception) -> str:
    """Return what is wrong with a picture in a few words, without the file's name."""
    return (str(error).splitlines() or [type(error).__name__])[0].split(": '")[0][:120]
