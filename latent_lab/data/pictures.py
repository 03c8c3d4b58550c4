"""Photographs of a user, in any mode. They are checked before they are decoded, and turned upright."""

from __future__ import annotations

import contextlib
import glob
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from latent_lab.names import digest, make_file_name, normalise_name
from latent_lab.picture_files import (
    DAMAGED,
    FILES,
    describe_error,
    find_files,
    identify_file,
    open_picture,
    read_orientation,
    silence_pillow,
    turn_upright,
)

COUNTED = 8  # frames, of the formats that say how many only to who reads them all


def find_pictures(where: str | Sequence[str]) -> dict[str, Path]:
    """Find pictures: a file, those of a folder and its sub-folders, of a pattern, or of a list of these; each real file
    once.

    Returned names are plain names of files (:func:`latent_lab.names.make_file_name`). They differ even if case is
    ignored.

    Raises:
        FileNotFoundError: There is no such file, or no picture in the folder.
        ValueError: A place is a pipe, a device or a socket.
    """
    found: dict[Path, str] = {}
    seen: set[tuple[int, int] | None] = set()
    for item in [where] if isinstance(where, str) else list(where):
        place = expand_home(item)
        if os.path.isdir(place):
            texts = {
                file: file.relative_to(place).with_suffix("").as_posix().replace("/", "-")
                for file in find_files(place, FILES)
            }
        elif os.path.exists(place):
            require_plain(place)
            texts = {place: place.stem}
        else:
            texts = {Path(file): Path(file).stem for file in sorted(glob.glob(str(place))) if os.path.isfile(file)}
        if not texts:
            raise FileNotFoundError(
                f"images must be pictures ({', '.join(FILES)}), or folders or patterns of them, got {item!r}, "
                "which has none"
            )
        for file in sorted(texts):
            identity = identify_file(file)
            if identity is None or identity not in seen:
                found[file] = texts[file]
            seen.add(identity)
    return make_names_unique(found)


def make_names_unique(texts: dict[Path, str]) -> dict[str, Path]:
    """Return files by plain, different names.

    A name is made of the file's text; of text and suffix if several files have the text; and of text and a digest of
    the path if several still have that.

    Arguments:
        texts: The wanted name of each file.
    """
    names: dict[Path, str] = {}
    taken: set[str] = set()
    ways: tuple[Callable[[Path], str], ...] = (
        lambda file: texts[file],
        lambda file: f"{texts[file]}-{file.suffix[1:].lower()}",
        lambda file: f"{texts[file]}-{digest(str(file))}",
    )
    for shown in ways:
        wanted = {file: make_file_name(shown(file)) for file in texts if file not in names}
        times = Counter(map(normalise_name, wanted.values()))
        fresh = {
            file: name
            for file, name in wanted.items()
            if times[normalise_name(name)] == 1 and normalise_name(name) not in taken
        }
        names |= fresh
        taken |= set(map(normalise_name, fresh.values()))
    if len(names) < len(texts):
        raise ValueError(
            f"images must be files that names tell apart, got {[str(file) for file in texts if file not in names][:2]}"
        )
    return {names[file]: file for file in texts}


def expand_home(item: str | Path) -> Path:
    """Return a path with ``~`` replaced by the home of the user, if there is such a user."""
    try:
        return Path(item).expanduser()
    except RuntimeError:
        return Path(item)


def require_plain(file: Path) -> None:
    """Check that a file is no pipe, device or socket, on which reading could wait without end.

    Raises:
        ValueError: It is one.
    """
    if not os.path.isfile(file):
        raise ValueError(f"images must be files or folders, but {file} is no plain file")


@contextlib.contextmanager
def report_in_one_line(file: Path) -> Iterator[None]:
    """Raise what Pillow finds wrong with a picture as one line with its name."""
    try:
        with silence_pillow():
            yield
    except DAMAGED as error:
        raise ValueError(f"{file} cannot be read as a picture ({describe_error(error)})") from None


def read_photograph(file: str | Path) -> tuple[Image.Image, list[str]]:
    """Read a picture as RGB with 8 bits a channel, upright, and return a line for each thing that was done to it.

    Grey is repeated, 16 bits are rounded to 8, transparent pixels are laid on white, CMYK is converted without its
    profile, the first frame of an animation is taken, and a rotation that the camera noted is carried out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no plain file, damaged, of an unknown format, or has more pixels than
            ``PIL.Image.MAX_IMAGE_PIXELS``.
    """
    file = expand_home(file)
    if not os.path.exists(file):
        raise FileNotFoundError(f"images must be files or folders, got {str(file)!r}, which does not exist")
    require_plain(file)
    with report_in_one_line(file), open_picture(file, FILES.values()) as picture:
        notes = note_frames(picture, file)
        if read_orientation(picture) != 1:
            notes.append("turned upright")
        image, what = convert_to_rgb(turn_upright(picture))
        image.load()
    return image, notes + what


def note_frames(picture: Image.Image, file: Path) -> list[str]:
    """Return a note for a picture of several frames, else nothing.

    GIF and TIFF do not tell how many frames they have, so only a few are counted.
    """
    try:
        if not getattr(picture, "is_animated", False):
            return []
        if picture.format not in ("GIF", "TIFF"):
            return [f"its first frame of {getattr(picture, 'n_frames', 1)}"]
    except DAMAGED:
        return ["its first frame"]
    with open_picture(file, FILES.values()) as other:  # what is wrong in a later frame does not reach the first one
        for number in range(1, COUNTED + 1):
            try:
                other.seek(number)
            except DAMAGED:
                return [f"its first frame of {number}"]
    return [f"its first frame of more than {COUNTED}"]


def convert_to_rgb(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    """Return a picture of any mode in RGB, and a line for each thing that was done to it."""
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture, []
    if picture.mode[0] in "IF":
        values = np.asarray(picture, np.float64)
        if not np.isfinite(values).all():
            raise ValueError("it has pixels that are no numbers")
        top = 1.0 if picture.mode == "F" and values.max() <= 1 else 65535.0
        eight = np.clip(np.rint(values * (255 / top)), 0, 255).astype(np.uint8)
        return Image.fromarray(eight).convert("RGB"), [
            "16 bits a channel rounded to 8" if top > 1 else "real numbers rounded to 8 bits"
        ]
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        if picture.getchannel("A").getextrema()[0] == 255:
            return picture.convert("RGB"), []
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB"), ["transparent pixels laid on white"]
    return picture.convert("RGB"), [] if picture.mode in ("L", "P", "1") else [f"{picture.mode} converted to RGB"]


def crop_square(image: Image.Image, resolution: int) -> tuple[Image.Image, list[str]]:
    """Return the middle square of a picture at a resolution, antialiased, and a line if its size changed."""
    notes = (
        [f"{image.width}x{image.height} pixels made {resolution}x{resolution}"]
        if image.size != (resolution, resolution)
        else []
    )
    if image.width != image.height:
        notes[0] += ", its middle square"
    return ImageOps.fit(image, (resolution, resolution), Image.Resampling.LANCZOS), notes


def to_tensor(image: Image.Image, channels: int) -> Tensor:
    """Return a picture in RGB as a tensor :math:`(C, H, W)` in [-1, 1], grey for one channel."""
    values = np.array(image if channels == 3 else image.convert("L"))
    return torch.from_numpy(values).reshape(*values.shape[:2], -1).permute(2, 0, 1).contiguous().float() / 127.5 - 1


def read_picture(file: str | Path, resolution: int, channels: int) -> Tensor:
    """Read the middle square of a photograph as a tensor :math:`(C, R, R)` in [-1, 1].

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be used; see :func:`read_photograph`.
    """
    return to_tensor(crop_square(read_photograph(file)[0], resolution)[0], channels)
