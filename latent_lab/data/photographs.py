"""Pictures to invert: photographs of the user, or images that a data set holds out. They are read when asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from latent_lab.attributes.faces.landmarks import DlibLandmarks
from latent_lab.console import escape_text, log
from latent_lab.data.alignment import choose_face, cut_square, find_ffhq_square
from latent_lab.data.folder import FolderImages
from latent_lab.data.images import IdxImages
from latent_lab.data.pictures import crop_square, expand_home, read_photograph, to_tensor
from latent_lab.gans.base import Generator
from latent_lab.names import make_file_name

ALIGNMENTS = ("none", "ffhq")


class Batch(NamedTuple):
    """Pictures that are inverted together.

    Arguments:
        names: Their names.
        pixels: Their pixels :math:`(N, C, R, R)`, uint8.
        known: Source and hash of each, and notes of what was done to it.
    """

    names: list[str]
    pixels: Tensor
    known: list[dict[str, Any]]


class Photographs:
    """Photographs of the user by name, prepared as images of a generator when they are asked for.

    Arguments:
        files: The photographs.
        generator: The generator whose resolution and channels they get.
        align: ``none`` or ``ffhq``.
        faces: Which of several faces to take; see :func:`choose_face`.
    """

    def __init__(self, files: dict[str, Path], generator: Generator, align: str, faces: str | int) -> None:
        if align not in ALIGNMENTS:
            raise ValueError(f"align must be one of {ALIGNMENTS}, got {align!r}")
        self.files, self.resolution, self.channels, self.faces = files, generator.resolution, generator.channels, faces
        self.landmarks = DlibLandmarks() if align == "ffhq" else None

    def list_names(self) -> list[str]:
        """Return the names of all photographs."""
        return list(self.files)

    def read(self, name: str) -> tuple[Tensor, dict[str, Any]]:
        """Return the pixels :math:`(C, R, R)`, uint8, of a photograph, with its source, hash and notes.

        Raises:
            ValueError: It cannot be used.
        """
        file = self.files[name]
        image, notes = read_photograph(file)
        if self.landmarks is not None:
            image, said = (
                cut_square(image, find_ffhq_square(choose_face(self.landmarks(image), self.faces)), self.resolution),
                ["aligned"],
            )
        else:
            image, said = crop_square(image, self.resolution)
        pixels = (to_tensor(image, self.channels) + 1).mul(127.5).round().to(torch.uint8)
        return pixels, {"picture": file.name, "sha256": hash_file(file), "notes": notes + said}


def hash_file(file: Path) -> str:
    """Return the SHA-256 of a file, which need not fit into the memory."""
    found = hashlib.sha256()
    with file.open("rb") as stream:
        while part := stream.read(1 << 20):
            found.update(part)
    return found.hexdigest()


class HeldOut:
    """The first held-out images of a data set, named by number.

    Arguments:
        data: The data set.
        name: Its name.
        generator: The generator whose images they must be like.
        count: Number of images.
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

    def list_names(self) -> list[str]:
        """Return the names of all images."""
        return list(self.images)

    def read(self, name: str) -> tuple[Tensor, dict[str, Any]]:
        """Return the pixels :math:`(C, R, R)`, uint8, of an image, with its source and hash."""
        sha256 = hashlib.sha256(self.images[name].numpy().tobytes()).hexdigest()
        return self.images[name], {"picture": name, "sha256": sha256, "notes": []}


def make_absolute(images: str | Sequence[str]) -> str | list[str]:
    """Return the places with absolute paths, which stay right when the inversion is continued from another folder."""
    if isinstance(images, str):
        return images if images == "held_out" else str(expand_home(images).absolute())
    return [str(expand_home(item).absolute()) for item in images]


def read_batches(
    source: Photographs | HeldOut, names: Sequence[str], size: int, failed: dict[str, str]
) -> Iterator[Batch]:
    """Yield the pictures that can be used, some at a time.

    Arguments:
        source: Where they come from.
        names: Names of the pictures.
        size: Pictures a batch.
        failed: Receives the reason for each picture that cannot be used.
    """
    waiting: list[tuple[str, Tensor, dict[str, Any]]] = []
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
