"""Files of digits: read whole or refused, padded, split."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from latent_lab.data.images import IdxImages, read_idx

NUM, SIDE, HELD_OUT = 20, 6, 5


def idx(values: torch.Tensor, kind: int = 8, shape: tuple[int, ...] | None = None) -> bytes:
    shape = tuple(values.shape) if shape is None else shape
    return struct.pack(f">HBB{len(shape)}i", 0, kind, len(shape), *shape) + bytes(values.byte().flatten().tolist())


@pytest.fixture
def pixels(rng) -> torch.Tensor:
    pixels = torch.randint(256, (NUM, SIDE, SIDE), generator=rng, dtype=torch.uint8)
    pixels[:, 0, 0], pixels[:, 0, 1] = 0, 255
    pixels[:, 1, 1] = torch.arange(NUM)  # tells the images apart
    return pixels


@pytest.fixture
def digits(tmp_path, pixels) -> IdxImages:
    def dataset(folder: Path = tmp_path, resolution: int = 9, held_out: int = HELD_OUT) -> IdxImages:
        files = {"images": {"name": "images.gz", "hash": "md5:0"}, "labels": {"name": "labels.gz", "hash": "md5:0"}}
        return IdxImages(str(folder), "http://127.0.0.1:9/", files, resolution, batch_size=4, held_out=held_out)

    (tmp_path / "images.gz").write_bytes(gzip.compress(idx(pixels)))
    (tmp_path / "labels.gz").write_bytes(gzip.compress(idx(torch.arange(NUM) % 10)))
    return dataset


def test_the_module_can_be_imported_first():
    """Without torchmetrics or anything else of latent_lab before it."""
    answer = subprocess.run([sys.executable, "-c", "import latent_lab.data.images"], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr.splitlines()[-1]


def test_idx_files_are_read_as_written(tmp_path, digits, pixels):
    assert torch.equal(read_idx(tmp_path / "images.gz"), pixels)


BYTES = idx(torch.arange(60).reshape(3, 4, 5))
PACKED = gzip.compress(BYTES, mtime=0)


@pytest.mark.parametrize(
    "content",
    {
        "empty": b"",
        "not gzip": BYTES,
        "cut archive": PACKED[:-12],
        "cut in the header": PACKED[:14],
        "flipped bytes": PACKED[:30] + bytes(255 - b for b in PACKED[30:50]) + PACKED[50:],
        "flipped checksum": PACKED[:-8] + bytes(8),
        "empty archive": gzip.compress(b""),
        "short header": gzip.compress(BYTES[:9]),
        "too few values": gzip.compress(BYTES[:-1]),
        "too many values": gzip.compress(BYTES + b"\0"),
        "floats": gzip.compress(idx(torch.zeros(4), kind=13)),
        "wrong magic": gzip.compress(b"PK" + BYTES[2:]),
        "no values": gzip.compress(idx(torch.zeros(0, 4))),
        "negative sizes": gzip.compress(idx(torch.zeros(6), shape=(-2, -3))),
        "no axes": gzip.compress(bytes((0, 0, 8, 0, 7))),
        "many axes": gzip.compress(bytes((0, 0, 8, 255)) + bytes((0, 0, 0, 1)) * 255 + b"a"),
        "overflowing sizes": gzip.compress(idx(torch.zeros(6), shape=(2**31 - 1,) * 4)),
    }.items(),
    ids=lambda item: item[0],
)
def test_damaged_files_are_refused_by_name_in_one_line(content, tmp_path):
    file = tmp_path / "digits.gz"
    file.write_bytes(content[1])
    with pytest.raises(ValueError, match=r"digits\.gz .* delete it to fetch it again") as error:
        read_idx(file)
    assert "\n" not in str(error.value)


def test_a_huge_file_is_refused_before_it_is_unpacked(tmp_path):
    file = tmp_path / "digits.gz"
    file.write_bytes(PACKED)
    with pytest.raises(ValueError, match=r"digits\.gz"):
        read_idx(file, limit=60)


def test_a_pipe_is_refused_and_not_waited_for(digits, tmp_path):
    os.mkfifo(tmp_path / "pipe.gz")
    with pytest.raises(ValueError, match=r"pipe\.gz is not a complete idx\.gz file of bytes \(no plain file\)"):
        read_idx(tmp_path / "pipe.gz")
    data = digits()
    (tmp_path / "images.gz").unlink()
    os.mkfifo(tmp_path / "images.gz")
    assert not data.is_here
    with pytest.raises(FileNotFoundError, match=r"dataset: .*images\.gz must be a plain file; delete what is there"):
        data.prepare_data()


def test_padding_and_range(digits, pixels):
    data = digits()
    data.setup()
    images = data.prepare_images(data.images)
    assert images.shape == (NUM, 1, 9, 9)
    assert images.min() == -1 and images.max() == 1
    torch.testing.assert_close(images[:, 0, 1:7, 1:7], pixels / 127.5 - 1)
    outside = torch.ones(9, 9, dtype=torch.bool)
    outside[1:7, 1:7] = False  # 3 pixels too few: 1 before, 2 after
    assert (images[:, 0, outside] == -1).all()


def test_colours_stay_with_their_pixels(digits, tmp_path, rng):
    colours = torch.randint(256, (NUM, SIDE, SIDE, 3), generator=rng, dtype=torch.uint8)
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx(colours)))
    data = digits()
    data.setup()
    images = torch.cat([data.train_split()[0], data.held_out_split()[0]])
    assert images.shape == (NUM, 3, 9, 9)
    torch.testing.assert_close(images[:, :, 1:7, 1:7], colours.permute(0, 3, 1, 2) / 127.5 - 1)
    assert (images[:, :, 0] == -1).all() and (images[:, :, :, 7:] == -1).all()


@pytest.mark.parametrize("held_out", [HELD_OUT, 1, 0])
def test_training_and_held_out_images_are_disjoint_and_complete(digits, held_out):
    data = digits(held_out=held_out)
    data.setup()

    def numbers(images: torch.Tensor) -> list[int]:
        return ((images[:, 0, 2, 2] + 1) * 127.5).round().int().tolist()

    (train, train_labels), (held, held_labels) = data.train_split(), data.held_out_split()
    assert numbers(train) == list(range(NUM - held_out)) and numbers(held) == list(range(NUM - held_out, NUM))
    assert train_labels.tolist() + held_labels.tolist() == [i % 10 for i in range(NUM)]


def test_batches_are_shuffled_by_the_seed_and_never_hold_held_out_images(digits):
    data = digits()
    data.setup()
    one, same = ([batch[1].tolist() for batch in data.train_dataloader()] for _ in range(2))
    assert one == same and sum(one, []) != sorted(sum(one, []))
    assert [len(batch) for batch in one] == [4, 4, 4]  # 15 images: the last batch would be smaller
    seen = torch.cat([batch[0] for batch in data.train_dataloader()])
    held, _ = data.held_out_split()
    assert not (seen[:, None] == held[None]).flatten(2).all(2).any()
    assert sum(len(batch[0]) for batch in data.val_dataloader()) == HELD_OUT


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (
            (NUM, 6, 6),
            (NUM - 1,),
            r"must hold more than held_out=5 images and a label each, got \(20, 6, 6\) and \(19,\)",
        ),
        ((NUM, 6, 6, 4), (NUM,), r"must hold more than held_out=5 images and a label each, got \(20, 6, 6, 4\)"),
        ((NUM, 36), (NUM,), r"must hold more than held_out=5 images and a label each, got \(20, 36\)"),
        ((5, 6, 6), (5,), r"must hold more than held_out=5 images"),
        ((NUM, 6, 5), (NUM,), r"must hold square images of at most 9 pixels, got \(6, 5\)"),
        ((NUM, 10, 10), (NUM,), r"must hold square images of at most 9 pixels, got \(10, 10\)"),
    ],
)
def test_files_that_do_not_fit_are_refused(digits, tmp_path, images, labels, message):
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx(torch.zeros(images))))
    (tmp_path / "labels.gz").write_bytes(gzip.compress(idx(torch.zeros(labels))))
    with pytest.raises(ValueError, match=message):
        digits().setup()


def test_files_that_are_there_are_not_fetched(digits):
    digits().prepare_data()


def test_missing_files_without_a_network_are_named(digits, tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match=r"empty/images\.gz is missing .*http://127\.0\.0\.1:9/images\.gz cannot be fetched .* put the file there",
    ) as error:
        digits(tmp_path / "empty").prepare_data()
    assert "\n" not in str(error.value)


def test_files_that_no_address_has_say_how_they_are_made(tmp_path):
    data = IdxImages(
        str(tmp_path),
        None,
        {"images": {"name": "images.gz"}, "labels": {"name": "labels.gz"}},
        hint="draw them: node draw.js",
    )
    with pytest.raises(FileNotFoundError, match=r"dataset: .*images\.gz is missing; draw them: node draw\.js$"):
        data.prepare_data()
