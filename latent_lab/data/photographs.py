"""What is inverted: photographs of the user, or images that a data set holds out; read when they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from latent_lab.attributes.faces.landmarks import DlibLandmarks
from latent_lab.console import escape_text, log
from latent_lab.data.alignment import chosen_face, cut, ffhq_square
from latent_lab.data.folder import FolderImages
from latent_lab.data.images import IdxImages
from latent_lab.data.pictures import home_of, read_photograph, square, to_tensor
from latent_lab.gans.base import Generator
from latent_lab.names import make_file_name

ALIGNMENTS = ("none", "ffhq")


class Batch(NamedTuple):
    """Pictures that are inverted together: their names, pixels :math:`(N, C, R, R)`, uint8, and what is known of
    each."""

    names: list[str]
    pixels: Tensor
    known: list[dict]


class Photographs:
    """Pictures of the user by name, as a generator's images: read when they are asked for.

    Arguments:
        files: The pictures.
        generator: Whose resolution and channels they get.
        align: ``none`` or ``ffhq``.
        faces: Which of several faces, see :func:`chosen_face`.
    """

    def __init__(self, files: dict[str, Path], generator: Generator, align: str, faces: str | int) -> None:
        if align not in ALIGNMENTS:
            raise ValueError(f"align must be one of {ALIGNMENTS}, got {align!r}")
        self.files, self.resolution, self.channels, self.faces = files, generator.resolution, generator.channels, faces
        self.landmarks = DlibLandmarks() if align == "ffhq" else None

    def names(self) -> list[str]:
        return list(self.files)

    def read(self, name: str) -> tuple[Tensor, dict]:
        """The picture, with shape :math:`(C, R, R)`, uint8, and what is known of it. Raises a ValueError where it
        cannot be used."""
        file = self.files[name]
        image, notes = read_photograph(file)
        if self.landmarks is not None:
            image, said = (
                cut(image, ffhq_square(chosen_face(self.landmarks(image), self.faces)), self.resolution),
                ["aligned"],
            )
        else:
            image, said = square(image, self.resolution)
        pixels = (to_tensor(image, self.channels) + 1).mul(127.5).round().to(torch.uint8)
        return pixels, {"picture": file.name, "sha256": sha256_of(file), "notes": notes + said}


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file, which need not fit into the memory."""
    found = hashlib.sha256()
    with file.open("rb") as stream:
        while part := stream.read(1 << 20):
            found.update(part)
    return found.hexdigest()


class HeldOut:
    """The first held-out images of a data set, under numbers.

    Arguments:
        data: Its images.
        name: What it is called.
        generator: Whose images they must be like.
        count: How many.
    """

    def __init__(self, data: IdxImages | FolderImages, name: str, generator: Generator, count: int) -> None:
        data.prepare_data()
        data.setup()
        images = data.held_out_split()[0][:count]
        if images.shape[1:] != (generator.channels, generator.resolution, generator.resolution):
            raise ValueError(
                f"images of dataset={name} must be of {generator.channels} channels, got {tuple(images.shape[1:])}"
            )
        self.images = {
            make_file_name(f"{name}-{i:04d}"): (image + 1).mul(127.5).round().to(torch.uint8)
            for i, image in enumerate(images)
        }

    def names(self) -> list[str]:
        return list(self.images)

    def read(self, name: str) -> tuple[Tensor, dict]:
        sha256 = hashlib.sha256(self.images[name].numpy().tobytes()).hexdigest()
        return self.images[name], {"picture": name, "sha256": sha256, "notes": []}


def absolute(images: str | Sequence[str]) -> str | list[str]:
    """Places that stay the same when the inversion is continued from another folder."""
    if isinstance(images, str):
        return images if images == "held_out" else str(home_of(images).absolute())
    return [str(home_of(item).absolute()) for item in images]


def batches(source: Photographs | HeldOut, names: Sequence[str], size: int, failed: dict[str, str]) -> Iterator[Batch]:
    """The pictures that can be used, some at a time; why the others cannot goes into ``failed``."""
    waiting: list[tuple[str, Tensor, dict]] = []
    for position, name in enumerate(names):
        try:
            pixels, about = source.read(name)
        except (ValueError, OSError) as error:
            failed[name] = escape_text(error)
            log.warning(f"{name} is left out: {failed[name]}")
        else:
            if about["notes"]:
                log.info(f"{name}: {', '.join(about['notes'])}")
            waiting.append((name, pixels, about))
        if waiting and (len(waiting) == size or position == len(names) - 1):
            some, pixels, known = zip(*waiting)
            yield Batch(list(some), torch.stack(pixels), list(known))
            waiting = []
