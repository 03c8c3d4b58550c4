"""Every dataset= that has files loads a small folder of its own; a new yaml is tested without an edit here."""

from __future__ import annotations

import gzip
import io
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image

from latent_lab.data.dsprites import Dsprites
from latent_lab.data.folder import FolderImages
from latent_lab.data.images import IdxImages
from latent_lab.installation import CONF

NUM, HELD_OUT, BATCH = 24, 6, 4


def config_of(name: str):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [f"dataset={name}"]).dataset


NAMES = [file.stem for file in sorted((CONF / "dataset").glob("*.yaml")) if config_of(file.stem).get("data")]


def write_idx(config, folder: Path) -> None:
    shape = (NUM, 28, 28, 3) if "ColourAttributes" in OmegaConf.to_yaml(config.attributes) else (NUM, 28, 28)
    images = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    for part, values in (("images", images), ("labels", np.arange(NUM, dtype=np.uint8) % 10)):
        header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
        (folder / config.data.files[part].name).write_bytes(gzip.compress(header + values.tobytes()))


def write_pictures(config, folder: Path) -> None:
    rng = np.random.default_rng(0)
    side, table = (
        max(2 * config.data.resolution // 3, 8),
        config.data.labels if config.data.labels not in (None, "folder") else None,
    )
    names = [f"{'abcd'[i % 4]}/{i}.jpg" for i in range(NUM)]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (side, side + 3, 3), dtype=np.uint8)).save(folder / name)
    if table is None:
        return
    (folder / table).parent.mkdir(exist_ok=True)
    if table.endswith(".tsv"):
        (folder / table).with_name("attributes.txt").write_text("night\nsnow\n")
        (folder / table).write_text("".join(f"{name}\t0.5,1\t{i / NUM},1\n" for i, name in enumerate(names)))
    else:
        rows = "".join(f"{name.split('/')[-1]} 1 {-1 if i % 2 else 1}\n" for i, name in enumerate(names))
        (folder / table).write_text(f"{NUM}\nSmiling Young\n{rows}")


def write_dsprites(config, folder: Path) -> None:
    factors = np.stack([np.arange(2 * NUM) / k for k in range(1, 7)], 1)
    images = np.zeros((2 * NUM, 64, 64), np.uint8)
    images[np.arange(2 * NUM), 0, np.arange(2 * NUM)] = 1  # the marker's column is the image's number
    metadata = np.array({"author": "a pickle that must not be opened"}, dtype=object)
    np.savez_compressed(folder / config.data.name, imgs=images, latents_values=factors, metadata=metadata)


WRITERS = {IdxImages: write_idx, FolderImages: write_pictures, Dsprites: write_dsprites}


@pytest.fixture
def dataset(request, tmp_path, monkeypatch):
    """The name's configuration and its data, on a small folder where the configuration expects it."""
    monkeypatch.setenv("LATENT_LAB_DATA", str(tmp_path))
    config = config_of(request.param)
    config.data.held_out, config.data.batch_size, config.data.seed = HELD_OUT, BATCH, 0
    if config.data.get("resolution"):
        config.data.resolution = min(config.data.resolution, 64)
    folder = Path(config.data.folder)
    assert folder.is_relative_to(tmp_path)
    data = instantiate(config.data)
    assert not data.is_here
    folder.mkdir(parents=True, exist_ok=True)
    WRITERS[type(data)](config, folder)
    return config, data


@pytest.mark.parametrize("dataset", NAMES, indirect=True)
def test_it_loads_a_small_folder(dataset):
    config, data = dataset
    assert data.is_here
    data.prepare_data()
    data.setup()
    (train, train_labels), (held, held_labels) = data.train_split(), data.held_out_split()
    assert train.shape[1:] == held.shape[1:] == data.image_shape and train.shape[2] == config.data.get("resolution", 64)
    assert -1 <= train.min() < train.max() <= 1 and train.dtype == torch.float32
    assert len(train) == len(train_labels) == data.num_train and len(held) == len(held_labels) >= HELD_OUT
    assert not any(torch.equal(one, other) for one in train for other in held)
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (BATCH, *data.image_shape) and len(labels) == BATCH
    assert data.num_classes or labels.is_floating_point() or not labels.any()
    if config.get("attributes"):
        attributes = instantiate(config.attributes)
        assert attributes(images).shape == (BATCH, len(attributes.names)) and set(config.targets or []) <= set(
            attributes.names
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_folder_is_named_in_one_line(name, tmp_path, monkeypatch):
    monkeypatch.setenv("LATENT_LAB_DATA", str(tmp_path))
    config = config_of(name)
    if config.data.get("url"):
        config.data.url = "http://127.0.0.1:9/"
    with pytest.raises(FileNotFoundError, match=str(tmp_path)) as error:
        instantiate(config.data).prepare_data()
    assert "\n" not in str(error.value) and ("put " in str(error.value) or ";" in str(error.value))


@pytest.mark.parametrize("dataset", ["dsprites"], indirect=True)
def test_dsprites_labels_are_the_factors_of_their_images(dataset):
    _, data = dataset
    data.setup()
    for images, factors in (data.train_split(), data.held_out_split()):
        marked = images[:, 0, 0].argmax(1)
        torch.testing.assert_close(factors, marked[:, None] / torch.arange(1, 7))
    other = Dsprites(str(data.folder), data.file.name, num=10, held_out=2, split_seed=1)
    other.setup()
    assert other.num_train == 8 and len(set(other.labels[:, 0].tolist())) == 10


@pytest.mark.parametrize(
    "damage", ["cut", "text", "wrong shape", "floats", "few factors", "no numbers", "words", "huge"]
)
def test_damaged_dsprites_are_refused_in_one_line(tmp_path, damage):
    file, images, factors = tmp_path / "d.npz", np.ones((8, 64, 64), np.uint8), np.zeros((8, 6))
    if damage == "wrong shape":
        images = images[:, :32]
    if damage == "floats":
        images = images.astype(np.float64)
    if damage == "no numbers":
        factors[3, 2] = np.nan
    if damage == "words":
        factors = factors.astype(str)
    np.savez_compressed(file, imgs=images, latents_values=factors[: 5 if damage == "few factors" else None])
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    if damage == "huge":  # a header of 2**40 rows
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 6)})
        with zipfile.ZipFile(file, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the name is there twice: the last one counts
            archive.writestr("latents_values.npy", header.getvalue())
    if damage == "text":
        file.write_text("no archive")
    with pytest.raises(ValueError, match=r"d\.npz is not dSprites' file, or damaged .*fetch it again") as error:
        Dsprites(str(tmp_path), "d.npz", held_out=1).setup()
    assert "\n" not in str(error.value)
