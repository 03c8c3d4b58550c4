"""Real images, for pretraining, supervised methods and judges. Discovery itself never touches them."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pooch
import torch
import torch.nn.functional as F
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from latent_lab.ops.streams import ORDER, stream


def read_idx(file: str | Path, limit: int = 1 << 31) -> Tensor:
    """Read the uint8 tensor of an ``idx.gz`` file.

    Arguments:
        file: The file.
        limit: Most values that are read.

    Raises:
        ValueError: The file is damaged or too large.
    """
    try:
        if Path(file).exists() and not Path(file).is_file():  # a pipe would wait for ever
            raise ValueError("no plain file")
        with gzip.open(file) as stream:
            zero, kind, axes = struct.unpack(">HBB", stream.read(4))
            if not 1 <= axes <= 4:
                raise ValueError(f"header says {axes} axes")
            shape = struct.unpack(f">{axes}I", stream.read(4 * axes))
            size = math.prod(shape)
            if zero or kind != 8 or not 0 < size < limit:
                raise ValueError(f"header says type {kind}, shape {shape}")
            content = stream.read(size + 1)
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
        raise ValueError(
            f"{file} is not a complete idx.gz file of bytes ({error}); delete it to fetch it again"
        ) from None
    if len(content) != size:
        raise ValueError(
            f"{file} should hold {size} values, holds {'more' if len(content) > size else len(content)}; "
            "delete it to fetch it again"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).reshape(shape)


class Batches(Sampler[list[int]]):
    """The images of each step, as a function of seed, rank and step: a resumed run goes on within its epoch.

    Every epoch is a new order of all images. The last ones are left out if they fill no batch. The length is that of
    the whole run, even if the first steps are skipped, because Lightning counts them.

    Arguments:
        num: Number of images, at least ``batch_size``.
        batch_size: Images a batch.
        seed: Seed of the order.
        rank: Rank of the process, which has an order of its own.
        steps: Batches of the whole run; None for one epoch.
        first: The step to begin at.
    """

    def __init__(
        self, num: int, batch_size: int, seed: int, rank: int = 0, steps: int | None = None, first: int = 0
    ) -> None:
        if num < batch_size:
            raise ValueError(f"dataset.data.batch_size must be at most the {num} training images, got {batch_size}")
        self.num, self.batch_size, self.seed, self.rank = num, batch_size, seed, rank
        self.steps, self.first = num // batch_size if steps is None else steps, first

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.empty(0)
        for step in range(self.first, self.steps):
            epoch, place = divmod(step, self.num // self.batch_size)
            if place == 0 or step == self.first:
                order = torch.randperm(self.num, generator=stream(self.seed, self.rank, epoch, ORDER))
            yield order[place * self.batch_size :][: self.batch_size].tolist()


class IdxImages(LightningDataModule):
    """Images and labels in the idx.gz format of MNIST, padded to ``resolution``, in [-1, 1].

    The files hold grey images :math:`(N, H, H)` or colour images :math:`(N, H, H, 3)`. The last ``held_out`` images are
    kept out of every training; they are the validation set.

    Arguments:
        folder: Where the files are expected; files there win over a download.
        url: Address that the file names are appended to; None if the files are made and not fetched.
        files: ``images`` and ``labels``, each with its ``name`` and ``hash`` (as pooch takes it).
        resolution: Side of the padded images.
        batch_size: Images a batch.
        held_out: Number of images at the end that no training sees.
        seed: Seed of the order of the batches.
        hint: How to make files that no address has.
    """

    def __init__(
        self,
        folder: str,
        url: str | None,
        files: Mapping[str, Mapping[str, str]],
        resolution: int = 32,
        batch_size: int = 64,
        held_out: int = 1000,
        seed: int = 0,
        hint: str = "",
    ) -> None:
        super().__init__()
        self.folder, self.url, self.files, self.hint = Path(folder), url, files, hint
        self.resolution, self.batch_size, self.held_out, self.seed = resolution, batch_size, held_out, seed

    @property
    def is_here(self) -> bool:
        """Whether all files are in the folder, so that nothing must be fetched."""
        return all((self.folder / file["name"]).is_file() for file in self.files.values())

    def prepare_data(self) -> None:
        """Fetch files that are not in the folder yet."""
        for file in self.files.values():
            if (self.folder / file["name"]).is_file():
                continue
            if (self.folder / file["name"]).exists():  # to read a pipe would wait for ever
                raise FileNotFoundError(
                    f"dataset: {self.folder / file['name']} must be a plain file; delete what is there"
                )
            if self.url is None:
                raise FileNotFoundError(f"dataset: {self.folder / file['name']} is missing; {self.hint}")
            try:
                pooch.retrieve(self.url + file["name"], file["hash"], file["name"], self.folder, progressbar=True)
            except Exception as error:  # requests, urllib3 and pooch raise a dozen unrelated classes
                reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
                raise FileNotFoundError(
                    f"dataset: {self.folder / file['name']} is missing and {self.url}{file['name']} cannot be "
                    f"fetched ({reason}); put the file there"
                ) from None

    def setup(self, stage: str | None = None) -> None:
        """Read images and labels, and check that their shapes fit."""
        images, labels = (read_idx(self.folder / self.files[part]["name"]) for part in ("images", "labels"))
        if (
            images.shape[3:] not in ((), (3,))
            or images.ndim < 3
            or len(images) != len(labels)
            or len(images) <= self.held_out
        ):
            raise ValueError(
                f"dataset in {self.folder} must hold more than held_out={self.held_out} images and a label each, "
                f"got {tuple(images.shape)} and {tuple(labels.shape)}"
            )
        if images.shape[1] != images.shape[2] or images.shape[1] > self.resolution:
            raise ValueError(
                f"dataset in {self.folder} must hold square images of at most {self.resolution} pixels, "
                f"got {tuple(images.shape[1:3])}"
            )
        self.images, self.labels = images, labels.long()

    def prepare_images(self, images: Tensor) -> Tensor:
        """Return uint8 images :math:`(N, H, H)` or :math:`(N, H, H, 3)` as float :math:`(N, C, R, R)` in [-1, 1]."""
        before = (self.resolution - images.shape[1]) // 2
        after = self.resolution - images.shape[1] - before
        channels_first = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
        return F.pad(channels_first.float() / 127.5 - 1, (before, after, before, after), value=-1.0)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape :math:`(C, R, R)` of an image."""
        return tuple(self.prepare_images(self.images[:1]).shape[1:])

    @property
    def num_train(self) -> int:
        """Number of images that training may see."""
        return len(self.images) - self.held_out

    @property
    def num_classes(self) -> int:
        """Number of classes of the labels; 0 if labels are no classes."""
        return 0 if self.labels.is_floating_point() else int(self.labels.max()) + 1

    def train_split(self) -> tuple[Tensor, Tensor]:
        """Return images and labels that training may see."""
        num = len(self.images) - self.held_out
        return self.prepare_images(self.images[:num]), self.labels[:num]

    def held_out_split(self) -> tuple[Tensor, Tensor]:
        """Return images and labels that no training sees."""
        num = len(self.images) - self.held_out
        return self.prepare_images(self.images[num:]), self.labels[num:]

    def train_dataloader(
        self, steps: int | None = None, first: int = 0, rank: int = 0
    ) -> DataLoader[tuple[Tensor, ...]]:
        """Return batches of images and labels; see :class:`Batches`."""
        order = Batches(self.num_train, self.batch_size, self.seed, rank, steps, first)
        return DataLoader(TensorDataset(*self.train_split()), batch_sampler=order)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return batches of the images and labels that no training sees."""
        return DataLoader(TensorDataset(*self.held_out_split()), self.batch_size)
