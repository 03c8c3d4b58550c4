"""Folders of pictures: decoded on access, split by name, the damaged ones named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latent_lab.data.folder import FolderImages

pytestmark = pytest.mark.usefixtures("spoken")

NUM, HELD_OUT = 12, 4


def picture(file: Path, width: int = 20, height: int = 16, value: int = 100) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(file)


@pytest.fixture
def folder(tmp_path) -> Path:
    for i in range(NUM):
        picture(tmp_path / "abc"[i % 3] / f"{i}.png", value=10 * i)
    return tmp_path


def made(folder: Path, **options) -> FolderImages:
    data = FolderImages(str(folder), **{"resolution": 8, "held_out": HELD_OUT, "batch_size": 2} | options)
    data.prepare_data()
    data.setup()
    return data


def numbers(images: torch.Tensor) -> list[int]:
    return ((images[:, 0, 4, 4] + 1) * 127.5 / 10).round().int().tolist()


def test_splits_are_disjoint_complete_and_independent_of_the_training_seed(folder):
    data, other = made(folder), made(folder, seed=7)
    train, held = numbers(data.train_split()[0]), numbers(data.held_out_split()[0])
    assert len(held) == HELD_OUT and sorted(train + held) == list(range(NUM))
    assert numbers(other.held_out_split()[0]) == held and numbers(other.train_split()[0]) == train
    assert any(set(numbers(made(folder, split_seed=seed).held_out_split()[0])) != set(held) for seed in (1, 2))
    (
        folder / "b" / "1.png"
    ).unlink()  # one picture less moves no other from the training pictures to those held out, but for its place
    assert len(set(numbers(made(folder).held_out_split()[0])) - set(held)) <= 1


def test_batches_are_shuffled_by_the_seed_and_never_hold_held_out_images(folder):
    def batches(data) -> list[int]:
        return [number for images, _ in data.train_dataloader() for number in numbers(images)]

    data = made(folder)
    held = numbers(data.held_out_split()[0])
    assert batches(data) == batches(made(folder)) != batches(made(folder, seed=1))
    assert sorted(batches(data) + held) == list(range(NUM))
    assert [number for images, _ in data.val_dataloader() for number in numbers(images)] == held


def test_sub_folders_are_classes_and_can_be_held_out_whole(folder):
    data = made(folder, labels="folder", keep_together=True, held_out=5)
    assert data.label_names == ["a", "b", "c"] and data.num_classes == 3
    for images, labels in (data.train_split(), data.held_out_split()):
        assert [number % 3 for number in numbers(images)] == labels.tolist()
    assert data.num_train == 4 and len(set(data.train_split()[1].tolist())) == 1


def test_preparation(tmp_path):
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, 10:30] = 255  # the centre is white
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    crop = made(tmp_path, held_out=0, resolution=16).train_split()[0]
    assert crop.shape == (1, 3, 16, 16) and crop.min() > 0.9  # the filter sees a little of what is cropped
    whole = made(tmp_path, held_out=0, resolution=16, preparation="whole", image_channels=1).train_split()[0]
    assert whole.shape == (1, 1, 16, 16)
    assert (whole[0, 0, :4] == -1).all() and (whole[0, 0, -4:] == -1).all()  # bars above and below
    assert (whole[0, 0, 5:11, 6:10] > 0.99).all() and (whole[0, 0, 5:11, :2] < -0.9).all()


def test_a_large_jpeg_and_a_turned_one(tmp_path):
    rows = np.linspace(0, 255, 512).astype(np.uint8)[:, None, None].repeat(512, 1).repeat(3, 2)
    Image.fromarray(rows).save(tmp_path / "down.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(rows[::-1].copy()).save(tmp_path / "turned.jpg", quality=95, exif=exif)
    images = made(tmp_path, held_out=0, resolution=32).train_split()[0]
    expected = (torch.arange(32) + 0.5) / 16 - 1
    assert (images - expected[:, None]).abs().max() < 0.03


def test_unusable_pictures_are_counted_named_and_left_out(folder, capsys):
    whole = (folder / "a" / "0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[:-30])
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.webp").write_bytes(b"")
    picture(folder / "tiny.png", 20, 3)
    (folder / "._0.png").write_bytes(b"a file that macOS leaves")
    (folder / "notes.txt").write_text("no picture")
    data = made(folder)
    assert data.num_train == NUM - HELD_OUT
    (line,) = capsys.readouterr().out.splitlines()
    assert f"4 of {NUM + 4} pictures in {folder} are left out" in line and "cut.png (" in line and "and 1 more" in line
    assert "20x3 pixels, below 4" in repr([data.find_fault(folder / "tiny.png")])


def test_a_folder_of_unusable_pictures_is_refused(tmp_path):
    picture(tmp_path / "tiny.png", 2, 2)
    with pytest.raises(
        ValueError, match=r"none of the 1 pictures in .* can be used: tiny\.png \(2x2 pixels, below 4\)"
    ):
        made(tmp_path)


def test_a_damaged_picture_that_only_its_header_was_read_of_is_named(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:2000])
    data = made(tmp_path, held_out=0, check="header")
    with pytest.raises(ValueError, match=r"cut\.png cannot be decoded .*dataset\.data\.check=pixels"):
        data.train_split()


def test_the_limit_against_decompression_bombs_holds(tmp_path, monkeypatch):
    picture(tmp_path / "bomb.png", 64, 64)
    picture(tmp_path / "fine.png", 16, 16)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    data = made(tmp_path, held_out=0)
    assert [file.name for file in data.train_pictures.files] == ["fine.png"]
    assert "decompression bomb" in data.find_fault(tmp_path / "bomb.png")


def test_sixteen_bits_are_left_out(tmp_path):
    picture(tmp_path / "fine.png")
    Image.fromarray(np.full((16, 16), 40000, np.uint16)).save(tmp_path / "deep.png")
    data = made(tmp_path, held_out=0)
    assert data.num_train == 1 and "8 bits" in data.find_fault(tmp_path / "deep.png")


def test_a_split_as_a_tensor_is_bounded(folder):
    image = 4 * 3 * 8 * 8 / 2**30
    assert len(made(folder, gigabytes=3.5 * image).train_split()[0]) == 3


def test_a_table_labels_the_pictures(folder, capsys):
    rows = "".join(f"{'abc'[i % 3]}/{i}.png,{i / 10},1\n" for i in range(NUM - 1))  # the last has none
    (folder / "values.csv").write_text("file,age,smile\n" + rows)
    data = made(folder, labels="values.csv")
    assert data.label_names == ["age", "smile"] and data.num_classes == 0
    assert "11.png (not in the table)" in capsys.readouterr().out
    for images, labels in (data.train_split(), data.held_out_split()):
        torch.testing.assert_close(labels, torch.tensor([[number / 10, 1.0] for number in numbers(images)]))
    (folder / "values.csv").unlink()
    assert not FolderImages(str(folder), labels="values.csv").is_here
    with pytest.raises(
        FileNotFoundError, match=r"values\.csv is missing; put it there, or go without with dataset\.data\.labels=null"
    ):
        made(folder, labels="values.csv")


def test_a_missing_folder_says_what_to_put_where(tmp_path):
    data = FolderImages(str(tmp_path / "none"), hint="put cars there")
    assert not data.is_here
    with pytest.raises(FileNotFoundError, match=r"none holds no pictures \(\.jpg.*\); put cars there") as error:
        data.prepare_data()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"preparation": "squeeze"}, r"preparation must be one of \('crop', 'whole'\), got 'squeeze'"),
        ({"check": "none"}, r"check must be one of"),
        ({"image_channels": 4}, r"image_channels must be one of \(1, 3\), got 4"),
        ({"resolution": 0}, r"resolution and batch_size of at least 1"),
        ({"held_out": NUM}, rf"must hold more than held_out={NUM} pictures, got {NUM}"),
    ],
)
def test_arguments_out_of_range_are_refused(folder, options, message):
    with pytest.raises(ValueError, match=message):
        made(folder, **options)


def test_a_batch_larger_than_the_data_is_refused(folder):
    with pytest.raises(ValueError, match=r"batch_size must be at most the 8 training images, got 9"):
        made(folder, batch_size=9).train_dataloader()
