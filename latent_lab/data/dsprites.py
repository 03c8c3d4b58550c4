"""dSprites: white shapes on black, each drawn from known factors."""

from __future__ import annotations

import zipfile
from typing import IO

import numpy as np
import torch

from latent_lab.checkpoints.directions import parse_array
from latent_lab.data.images import IdxImages
from latent_lab.picture_files import describe_error

FACTORS = ("colour", "shape", "scale", "orientation", "x", "y")


class Dsprites(IdxImages):
    """A random part of dSprites, 64x64, in [-1, 1]. An image's label holds its true factors (colour is always 1).

    The file's images take 3 GB, so they are read as a stream and only ``num`` are kept. Its pickled metadata is never
    opened.

    References:
        | dSprites: Disentanglement testing Sprites dataset (Matthey et al., 2017)
        | https://github.com/google-deepmind/dsprites-dataset

    Arguments:
        folder: Where the file is expected.
        name: The file.
        num: Images to keep.
        batch_size: Images a batch.
        held_out: Number of them that no training sees.
        seed: Seed of the order of the batches.
        split_seed: Seed of which images are kept and which held out.
    """

    label_names = FACTORS

    def __init__(
        self,
        folder: str,
        name: str,
        num: int = 50_000,
        batch_size: int = 64,
        held_out: int = 1000,
        seed: int = 0,
        split_seed: int = 0,
    ) -> None:
        super().__init__(folder, "", {"images": {"name": name}}, 64, batch_size, held_out, seed)
        self.file, self.num, self.split_seed = self.folder / name, num, split_seed

    def prepare_data(self) -> None:
        """Check that the file is there. It is not fetched."""
        if not self.is_here:
            raise FileNotFoundError(
                f"dataset: {self.file} is missing; put the file of "
                "https://github.com/google-deepmind/dsprites-dataset there"
            )

    def setup(self, stage: str | None = None) -> None:
        """Read the images and factors that ``split_seed`` chooses."""
        self.prepare_data()
        try:
            with zipfile.ZipFile(self.file) as archive, archive.open("imgs.npy") as stream:
                if archive.getinfo("latents_values.npy").file_size > 1 << 27:
                    raise ValueError("its factors take more than 128 MiB")
                with archive.open("latents_values.npy") as values:
                    factors = parse_array(values.read())
                np.lib.format.read_magic(stream)
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
                if shape[1:] != (64, 64) or dtype != np.uint8 or fortran or factors.shape != (shape[0], len(FACTORS)):
                    raise ValueError(f"images {shape} of {dtype}, factors {factors.shape}")
                if factors.dtype.kind not in "fiu" or not np.isfinite(factors).all():
                    raise ValueError("its factors are not all finite numbers")
                chosen = np.random.default_rng(self.split_seed).permutation(shape[0])[: self.num]
                images = np.empty((len(chosen), 64, 64), np.uint8)
                at = 0
                for place in np.argsort(chosen):
                    skip_bytes(stream, 4096 * (int(chosen[place]) - at))
                    images[place] = np.frombuffer(stream.read(4096), np.uint8).reshape(64, 64)
                    at = int(chosen[place]) + 1
        except Exception as error:  # zipfile and numpy raise a dozen unrelated classes
            raise ValueError(
                f"{self.file} is not dSprites' file, or damaged ({describe_error(error)}); fetch it again"
            ) from None
        if len(images) <= self.held_out:
            raise ValueError(
                f"dataset in {self.folder} must hold more than held_out={self.held_out} images, got {len(images)}"
            )
        if images.max() > 1:
            raise ValueError(f"{self.file} must hold images of 0 and 1, got {images.max()}")
        self.images, self.labels = torch.from_numpy(255 * images), torch.from_numpy(factors[chosen]).float()


def skip_bytes(stream: IO[bytes], size: int, chunk: int = 1 << 20) -> None:
    """Read on by ``size`` bytes without keeping them."""
    while size > 0:
        size -= len(stream.read(min(size, chunk))) or size
