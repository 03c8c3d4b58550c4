"""A folder of pictures as a data set. Pictures are decoded when they are asked for, never all at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from PIL import Image, ImageOps
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import pil_to_tensor

from latent_lab.console import escape_text, log
from latent_lab.data.images import Batches
from latent_lab.data.tables import match_rows, read_table
from latent_lab.picture_files import (
    DAMAGED,
    FORMATS,
    describe_error,
    find_files,
    open_picture,
    silence_pillow,
    turn_upright,
)

PREPARATIONS, CHECKS = ("crop", "whole"), ("pixels", "header")


class Pictures(Dataset[tuple[Tensor, ...]]):
    """Labelled pictures that are decoded on access, to an image :math:`(C, R, R)` in [-1, 1] and its label.

    Arguments:
        files: The pictures.
        labels: A number for each, with shape :math:`(N,)`, or a row of attributes for each, with shape :math:`(N, A)`.
        resolution: Side R.
        image_channels: 1 (grey) or 3.
        preparation: ``crop`` resizes the shorter side and crops the centre; ``whole`` resizes the longer side and adds
            black bars.
    """

    def __init__(
        self, files: Sequence[Path], labels: Tensor, resolution: int, image_channels: int, preparation: str
    ) -> None:
        self.files, self.labels, self.resolution = list(files), labels, resolution
        self.mode, self.prepare = (
            {1: "L", 3: "RGB"}[image_channels],
            {"crop": ImageOps.fit, "whole": ImageOps.pad}[preparation],
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        side = (self.resolution, self.resolution)
        try:
            with silence_pillow(), open_photograph(self.files[i]) as picture:
                # a JPEG is decoded at the next larger eighth of its size
                picture.draft(self.mode, (2 * side[0], 2 * side[1]))
                prepared = self.prepare(turn_upright(picture).convert(self.mode), side, Image.Resampling.LANCZOS)
        except DAMAGED as error:
            raise ValueError(
                f"dataset: {self.files[i]} cannot be decoded ({describe_error(error)}); delete it, "
                "or leave such out with dataset.data.check=pixels"
            ) from None
        return pil_to_tensor(prepared).float() / 127.5 - 1, self.labels[i]

    def stack(self, num: int) -> tuple[Tensor, Tensor]:
        """Return the first ``num`` images :math:`(M, C, R, R)` and their labels."""
        images = torch.stack([self[i][0] for i in range(min(num, len(self)))])
        return images, self.labels[: len(images)]


def open_photograph(file: Path) -> Image.Image:
    """Open a photograph and read its header. Only common formats with 8 bits a channel are accepted.

    Raises:
        Exception: The file is no such picture; see :func:`latent_lab.picture_files.open_picture`.
    """
    picture = open_picture(file, FORMATS.values())
    if picture.mode[0] in "IF":
        picture.close()
        raise ValueError(f"{picture.mode} is not 8 bits a channel")
    return picture


class FolderImages(LightningDataModule):
    """The pictures of a folder and of all its sub-folders.

    Pictures that cannot be read, or are too small, are left out and reported in one line. The names and ``split_seed``
    alone decide which pictures are held out, never the training's seed: so a judge never meets pictures that a training
    with another seed saw.

    Arguments:
        folder: Where the pictures are expected.
        resolution: Side R of the prepared images.
        image_channels: 1 (grey) or 3.
        preparation: ``crop`` resizes the shorter side and crops the centre; ``whole`` resizes the longer side and adds
            black bars.
        labels: The label of an image: ``folder`` for the index of the sub-folder that it lies in; the name of a table
            in the folder (:func:`latent_lab.data.tables.read_table`) for its row; None for 0.
        held_out: Number of images that no training sees (at least; whole sub-folders at a time with ``keep_together``).
        keep_together: Whether the images of a sub-folder are like each other, so that none may be held out alone.
        smallest: Pixels that a picture's shorter side must have; None: half the resolution.
        check: ``pixels`` decodes every picture once to find damaged ones; ``header``, for millions, only reads their
            sizes.
        gigabytes: Largest size of a split as one tensor; of a larger split only the first images are given.
        batch_size: Images a batch.
        workers: Number of processes that decode.
        seed: Seed of the order of the batches.
        split_seed: Seed of the split.
        hint: Advice in the error if the folder has no pictures.
    """

    def __init__(
        self,
        folder: str,
        resolution: int = 64,
        image_channels: int = 3,
        preparation: str = "crop",
        labels: str | None = None,
        held_out: int = 1000,
        keep_together: bool = False,
        smallest: int | None = None,
        check: str = "pixels",
        gigabytes: float = 1.0,
        batch_size: int = 64,
        workers: int = 0,
        seed: int = 0,
        split_seed: int = 0,
        hint: str = "put pictures there, in sub-folders if you like",
    ) -> None:
        super().__init__()
        for name, value, allowed in (
            ("preparation", preparation, PREPARATIONS),
            ("check", check, CHECKS),
            ("image_channels", image_channels, (1, 3)),
        ):
            if value not in allowed:
                raise ValueError(f"dataset.data.{name} must be one of {allowed}, got {value!r}")
        if resolution < 1 or batch_size < 1 or held_out < 0:
            raise ValueError(
                "dataset.data must have resolution and batch_size of at least 1 and held_out of at least 0, "
                f"got {resolution}, {batch_size}, {held_out}"
            )
        self.folder, self.hint = Path(folder).expanduser(), hint
        self.resolution, self.image_channels, self.preparation = resolution, image_channels, preparation
        self.table = self.folder / labels if labels not in (None, "folder") else None
        self.by_folder, self.keep_together, self.held_out = labels == "folder", keep_together, held_out
        self.smallest = resolution // 2 if smallest is None else smallest
        self.check, self.gigabytes = check, gigabytes
        self.batch_size, self.workers, self.seed, self.split_seed = batch_size, workers, seed, split_seed

    @property
    def is_here(self) -> bool:
        """Whether there are pictures, and the table if one is asked for."""
        return any(True for _ in self.find_pictures()) and (self.table is None or self.table.is_file())

    def find_pictures(self) -> Iterator[Path]:
        """Yield files that may be pictures; see :func:`latent_lab.picture_files.find_files`."""
        return find_files(self.folder, FORMATS)

    def prepare_data(self) -> None:
        """Check that there are pictures, and the table if one is asked for."""
        if not any(True for _ in self.find_pictures()):
            raise FileNotFoundError(f"dataset: {self.folder} holds no pictures ({', '.join(FORMATS)}); {self.hint}")
        if self.table is not None and not self.table.is_file():
            raise FileNotFoundError(
                f"dataset: {self.table} is missing; put it there, or go without with dataset.data.labels=null"
            )

    def setup(self, stage: str | None = None) -> None:
        """Find the pictures that can be used, with their labels, and split them."""
        self.prepare_data()
        found = {file.relative_to(self.folder).as_posix(): file for file in self.find_pictures()}
        names = sorted(found)
        values: list[Tensor | None] = [torch.tensor(0)] * len(names)
        if self.table is not None:
            self.label_names, table = read_table(self.table)
            values = match_rows(names, table)
        elif self.by_folder:
            self.label_names = sorted({find_folder(name) for name in names})
            values = [torch.tensor(self.label_names.index(find_folder(name))) for name in names]
        else:
            self.label_names = []
        with silence_pillow(), ThreadPoolExecutor(os.cpu_count()) as pool:
            faults = list(
                pool.map(
                    lambda name, value: "not in the table" if value is None else self.find_fault(found[name]),
                    names,
                    values,
                )
            )
        label = {
            name: value for name, value, fault in zip(names, values, faults) if fault is None and value is not None
        }
        self.report([f"{name} ({fault})" for name, fault in zip(names, faults) if fault], len(names))

        held, rest = self.split(sorted(label))
        if not rest:
            raise ValueError(
                f"dataset in {self.folder} must hold more than held_out={self.held_out} pictures, got {len(label)}"
            )
        self.held_out_pictures, self.train_pictures = (
            Pictures(
                [found[name] for name in part],
                torch.stack([label[name] for name in part]) if part else torch.zeros(0),
                self.resolution,
                self.image_channels,
                self.preparation,
            )
            for part in (held, rest)
        )

    def find_fault(self, file: Path) -> str | None:
        """Return why a picture cannot be used; None if it can."""
        try:
            with open_photograph(file) as picture:
                if min(picture.size) < max(self.smallest, 1):
                    return f"{picture.size[0]}x{picture.size[1]} pixels, below {self.smallest}"
                if self.preparation == "whole" and 2 * self.resolution * min(picture.size) <= max(picture.size):
                    return (
                        f"{picture.size[0]}x{picture.size[1]} pixels, too narrow to be shown whole in {self.resolution}"
                    )
                if self.check == "pixels":
                    picture.draft("RGB", (8, 8))
                    picture.load()
        except DAMAGED as error:
            return describe_error(error)
        return None

    def report(self, faults: list[str], num: int) -> None:
        """Print which pictures are left out, in one line.

        Raises:
            ValueError: None can be used.
        """
        if not faults:
            return
        some = ", ".join(map(escape_text, faults[:3])) + (f" and {len(faults) - 3} more" if len(faults) > 3 else "")
        if len(faults) == num:
            raise ValueError(f"dataset: none of the {num} pictures in {self.folder} can be used: {some}")
        log.info(f"dataset: {len(faults)} of {num} pictures in {self.folder} are left out: {some}")

    def split(self, names: list[str]) -> tuple[list[str], list[str]]:
        """Return held-out and training names. Their order depends on ``split_seed`` and the names alone."""

        def draw(name: str) -> bytes:
            return hashlib.sha256(f"{self.split_seed}/{name}".encode(errors="surrogateescape")).digest()

        names = sorted(
            names, key=lambda name: (draw(find_folder(name)), draw(name)) if self.keep_together else draw(name)
        )
        cut = min(self.held_out, len(names))
        while self.keep_together and 0 < cut < len(names) and find_folder(names[cut - 1]) == find_folder(names[cut]):
            cut += 1
        return names[:cut], names[cut:]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape :math:`(C, R, R)` of an image."""
        return self.image_channels, self.resolution, self.resolution

    @property
    def num_train(self) -> int:
        """Number of images that training may see."""
        return len(self.train_pictures)

    @property
    def num_classes(self) -> int:
        """Number of classes of the labels; 0 if labels are no classes."""
        return len(self.label_names) if self.by_folder else 0

    def stack_pictures(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        """Return images and labels, as many as ``gigabytes`` allows."""
        return pictures.stack(max(1, int(self.gigabytes * 2**30 / (4 * self.image_channels * self.resolution**2))))

    def train_split(self) -> tuple[Tensor, Tensor]:
        """Return images and labels that training may see, as many as ``gigabytes`` allows."""
        return self.stack_pictures(self.train_pictures)

    def held_out_split(self) -> tuple[Tensor, Tensor]:
        """Return images and labels that no training sees, as many as ``gigabytes`` allows."""
        if not len(self.held_out_pictures):
            raise ValueError(
                f"dataset in {self.folder} has no held-out pictures: dataset.data.held_out must be positive, "
                f"got {self.held_out}"
            )
        return self.stack_pictures(self.held_out_pictures)

    def train_dataloader(
        self, steps: int | None = None, first: int = 0, rank: int = 0
    ) -> DataLoader[tuple[Tensor, ...]]:
        """Return batches of images and labels; see :class:`Batches`."""
        order = Batches(self.num_train, self.batch_size, self.seed, rank, steps, first)
        return DataLoader(
            self.train_pictures, batch_sampler=order, num_workers=self.workers, persistent_workers=self.workers > 0
        )

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return batches of the images and labels that no training sees."""
        return DataLoader(self.held_out_pictures, self.batch_size, num_workers=self.workers)


def find_folder(name: str) -> str:
    """Return the part of a name before the last ``/``: the sub-folder that the picture lies in."""
    return name.rpartition("/")[0]
