"""Any folder of pictures as a data set: decoded when asked for, never all at once."""

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
from latent_lab.data.tables import read_table, rows_of
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


class Pictures(Dataset):
    """Files and what is known of each, decoded on access: an image :math:`(C, R, R)` in [-1, 1], and its label.

    Arguments:
        files: The pictures.
        labels: One each, with shape :math:`(N,)`, or a row of attributes each, with shape :math:`(N, A)`.
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
            with silence_pillow(), opened_photograph(self.files[i]) as picture:
                # a JPEG is decoded at the next larger eighth of its size
                picture.draft(self.mode, (2 * side[0], 2 * side[1]))
                prepared = self.prepare(turn_upright(picture).convert(self.mode), side, Image.Resampling.LANCZOS)
        except DAMAGED as error:
            raise ValueError(
                f"dataset: {self.files[i]} cannot be decoded ({describe_error(error)}); delete it, "
                "or leave such out with dataset.data.check=pixels"
            ) from None
        return pil_to_tensor(prepared).float() / 127.5 - 1, self.labels[i]

    def stacked(self, num: int) -> tuple[Tensor, Tensor]:
        """The first ``num`` images, with shape :math:`(M, C, R, R)`, and their labels."""
        images = torch.stack([self[i][0] for i in range(min(num, len(self)))])
        return images, self.labels[: len(images)]


def opened_photograph(file: Path) -> Image.Image:
    """The picture, its header read; only the formats of photographs are tried, of 8 bits a channel."""
    picture = open_picture(file, FORMATS.values())
    if picture.mode[0] in "IF":
        picture.close()
        raise ValueError(f"{picture.mode} is not 8 bits a channel")
    return picture


class FolderImages(LightningDataModule):
    """The pictures of a folder and of all its sub-folders.

    Those that cannot be read, or are too small, are left out and reported in one line. Which ones are held out depends
    on the names and ``split_seed`` alone, never on the training's seed, so that no judge meets what a training of
    another seed saw.

    Arguments:
        folder: Where the pictures are expected.
        resolution: Side R of the prepared images.
        image_channels: 1 (grey) or 3.
        preparation: ``crop`` resizes the shorter side and crops the centre; ``whole`` resizes the longer side and adds
            black bars.
        labels: What an image's label is: ``folder``, the index of the sub-folder that it lies in; the name of a table
            in the folder (:func:`latent_lab.data.tables.read_table`), its row; None, always 0.
        held_out: Images that no training sees (at least; whole sub-folders at a time with ``keep_together``).
        keep_together: Whether the images of a sub-folder are like each other, so that none may be held out alone.
        smallest: Pixels that a picture's shorter side must have; None: half the resolution.
        check: ``pixels`` decodes every picture once to find damaged ones; ``header``, for millions, only reads their
            sizes.
        gigabytes: What a split may take as one tensor; a larger split gives its first images.
        batch_size: Images a batch.
        workers: Processes that decode.
        seed: Seed of the order of the batches.
        split_seed: Seed of the split.
        hint: What to put into the folder.
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
        return any(True for _ in self.pictures()) and (self.table is None or self.table.is_file())

    def pictures(self) -> Iterator[Path]:
        """Files that may be pictures, see :func:`latent_lab.picture_files.find_files`."""
        return find_files(self.folder, FORMATS)

    def prepare_data(self) -> None:
        if not any(True for _ in self.pictures()):
            raise FileNotFoundError(f"dataset: {self.folder} holds no pictures ({', '.join(FORMATS)}); {self.hint}")
        if self.table is not None and not self.table.is_file():
            raise FileNotFoundError(
                f"dataset: {self.table} is missing; put it there, or go without with dataset.data.labels=null"
            )

    def setup(self, stage: str | None = None) -> None:
        self.prepare_data()
        found = {file.relative_to(self.folder).as_posix(): file for file in self.pictures()}
        names = sorted(found)
        values: list[Tensor | None] = [torch.tensor(0)] * len(names)
        if self.table is not None:
            self.label_names, table = read_table(self.table)
            values = rows_of(names, table)
        elif self.by_folder:
            self.label_names = sorted({folder_of(name) for name in names})
            values = [torch.tensor(self.label_names.index(folder_of(name))) for name in names]
        else:
            self.label_names = []
        with silence_pillow(), ThreadPoolExecutor(os.cpu_count()) as pool:
            faults = list(
                pool.map(
                    lambda name, value: "not in the table" if value is None else self.fault(found[name]), names, values
                )
            )
        label = {name: value for name, value, fault in zip(names, values, faults) if fault is None}
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

    def fault(self, file: Path) -> str | None:
        """Why a picture cannot be used."""
        try:
            with opened_photograph(file) as picture:
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
        if not faults:
            return
        some = ", ".join(map(escape_text, faults[:3])) + (f" and {len(faults) - 3} more" if len(faults) > 3 else "")
        if len(faults) == num:
            raise ValueError(f"dataset: none of the {num} pictures in {self.folder} can be used: {some}")
        log.info(f"dataset: {len(faults)} of {num} pictures in {self.folder} are left out: {some}")

    def split(self, names: list[str]) -> tuple[list[str], list[str]]:
        """Held-out and training names, each in an order that ``split_seed`` and the names alone decide."""

        def draw(name: str) -> bytes:
            return hashlib.sha256(f"{self.split_seed}/{name}".encode(errors="surrogateescape")).digest()

        names = sorted(
            names, key=lambda name: (draw(folder_of(name)), draw(name)) if self.keep_together else draw(name)
        )
        cut = min(self.held_out, len(names))
        while self.keep_together and 0 < cut < len(names) and folder_of(names[cut - 1]) == folder_of(names[cut]):
            cut += 1
        return names[:cut], names[cut:]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.image_channels, self.resolution, self.resolution

    @property
    def num_train(self) -> int:
        return len(self.train_pictures)

    @property
    def num_classes(self) -> int:
        """Number of classes that labels are of; 0 where they are none."""
        return len(self.label_names) if self.by_folder else 0

    def tensors(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        return pictures.stacked(max(1, int(self.gigabytes * 2**30 / (4 * self.image_channels * self.resolution**2))))

    def train_split(self) -> tuple[Tensor, Tensor]:
        """Images and labels that training may see, as many as ``gigabytes`` allows."""
        return self.tensors(self.train_pictures)

    def held_out_split(self) -> tuple[Tensor, Tensor]:
        """Images and labels that no training sees, as many as ``gigabytes`` allows."""
        if not len(self.held_out_pictures):
            raise ValueError(
                f"dataset in {self.folder} has no held-out pictures: dataset.data.held_out must be positive, "
                f"got {self.held_out}"
            )
        return self.tensors(self.held_out_pictures)

    def train_dataloader(self, steps: int | None = None, first: int = 0, rank: int = 0) -> DataLoader:
        """Batches of images and labels, see :class:`Batches`."""
        order = Batches(self.num_train, self.batch_size, self.seed, rank, steps, first)
        return DataLoader(
            self.train_pictures, batch_sampler=order, num_workers=self.workers, persistent_workers=self.workers > 0
        )

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.held_out_pictures, self.batch_size, num_workers=self.workers)


def folder_of(name: str) -> str:
    return name.rpartition("/")[0]
