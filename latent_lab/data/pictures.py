"""A user's own photographs: any mode, turned upright, checked before they are decoded."""

from __future__ import annotations

import contextlib
import glob
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import latent_lab.cpu_torchvision  # noqa: F401  (before torchvision)

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from latent_lab.data.folder import DAMAGED, FORMATS, reason

FILES = FORMATS | {".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF"}


def find_pictures(where: str | Sequence[str]) -> dict[str, Path]:
    """Files by names that tell them apart: of a file, of all pictures of a folder and its sub-folders, of a pattern, or of a list of these.

    Raises:
        FileNotFoundError: There is no such file, or no picture in the folder.
    """
    found: list[tuple[str, Path]] = []
    for item in [where] if isinstance(where, str) else list(where):
        place = Path(item).expanduser()
        if place.is_dir():
            files = sorted(file for file in place.rglob("*") if file.suffix.lower() in FILES and not file.name.startswith("."))
            found += [(file.relative_to(place).with_suffix("").as_posix().replace("/", "-"), file) for file in files]
        else:
            files = [place] if place.is_file() else sorted(Path(file) for file in glob.glob(str(place)) if Path(file).is_file())
            found += [(file.stem, file) for file in files]
        if not files:
            raise FileNotFoundError(
                f"images must be pictures ({', '.join(FILES)}), or folders or patterns of them, got {item!r}, which has none"
            )
    taken = Counter(name for name, _ in found)
    names: dict[str, Path] = {}
    for name, file in found:
        name = name if taken[name] == 1 else f"{name}-{file.suffix[1:].lower()}"
        while name in names:
            name += "-"
        names[name] = file
    return names


@contextlib.contextmanager
def one_line(file: Path) -> Iterator[None]:
    """What Pillow says of a file that it cannot read, as one line with its name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is checked here
            yield
    except DAMAGED as error:
        raise ValueError(f"{file} cannot be read as a picture ({reason(error)})") from None


def read_photograph(file: str | Path) -> tuple[Image.Image, list[str]]:
    """A picture in RGB, 8 bits a channel, upright, and a line for each thing that was done to it.

    Grey is repeated, 16 bits are rounded to 8, transparent pixels are laid on white, CMYK is converted without its profile, of an
    animation the first frame is taken, and a rotation that the camera noted is carried out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, of an unknown format, or has more pixels than ``PIL.Image.MAX_IMAGE_PIXELS``.
    """
    file = Path(file).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"images must be files or folders, got {str(file)!r}, which does not exist")
    notes = []
    with one_line(file), Image.open(file, formats=sorted(set(FILES.values()))) as picture:
        pixels, most = picture.width * picture.height, Image.MAX_IMAGE_PIXELS
        if most is not None and pixels > most:
            raise ValueError(f"{pixels / 1e6:.0f} megapixels, more than the {most / 1e6:.0f} that are decoded; make it smaller")
        if getattr(picture, "n_frames", 1) > 1:
            notes.append(f"its first frame of {picture.n_frames}")
        if picture.getexif().get(0x0112, 1) != 1:
            notes.append("turned upright")
        image, what = as_rgb(ImageOps.exif_transpose(picture))
        image.load()
    return image, notes + what


def as_rgb(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    """A picture of any mode in RGB, and what that took."""
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture, []
    if picture.mode[0] in "IF":
        values = np.asarray(picture, np.float64)
        if not np.isfinite(values).all():
            raise ValueError("it has pixels that are no numbers")
        top = 1.0 if picture.mode == "F" and values.max() <= 1 else 65535.0
        eight = np.clip(np.rint(values * (255 / top)), 0, 255).astype(np.uint8)
        return Image.fromarray(eight).convert("RGB"), ["16 bits a channel rounded to 8" if top > 1 else "real numbers rounded to 8 bits"]
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        if picture.getextrema()[3][0] == 255:
            return picture.convert("RGB"), []
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB"), ["transparent pixels laid on white"]
    return picture.convert("RGB"), [] if picture.mode in ("L", "P", "1") else [f"{picture.mode} converted to RGB"]


def square(image: Image.Image, resolution: int) -> tuple[Image.Image, list[str]]:
    """The middle square of a picture at a resolution, antialiased, and a line where that changed its size."""
    notes = [f"{image.width}x{image.height} pixels made {resolution}x{resolution}"] if image.size != (resolution, resolution) else []
    if image.width != image.height:
        notes[0] += ", its middle square"
    return ImageOps.fit(image, (resolution, resolution), Image.Resampling.LANCZOS), notes


def to_tensor(image: Image.Image, channels: int) -> Tensor:
    """A picture in RGB as a tensor :math:`(C, H, W)` in [-1, 1], grey for one channel."""
    values = np.array(image if channels == 3 else image.convert("L"))
    return torch.from_numpy(values).reshape(*values.shape[:2], -1).permute(2, 0, 1).contiguous().float() / 127.5 - 1


def read_picture(file: str | Path, resolution: int, channels: int) -> Tensor:
    """The middle square of a photograph, with shape :math:`(C, R, R)` in [-1, 1]; raises as :func:`read_photograph` does."""
    return to_tensor(square(read_photograph(file)[0], resolution)[0], channels)
