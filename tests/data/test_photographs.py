"""Photographs as users have them: each mode in, RGB out, or one line that says what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from latent_lab.data.pictures import crop_square, find_pictures, read_photograph, read_picture, to_tensor

COLUMNS = np.linspace(0, 255, 24).astype(np.uint8)[None].repeat(16, 0)  # 24 wide, 16 high, brighter to the right
RGB = np.stack([COLUMNS, 255 - COLUMNS, np.full_like(COLUMNS, 90)], 2)


def pixels(file) -> np.ndarray:
    return np.asarray(read_photograph(file)[0])


def test_a_plain_picture_is_itself(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    image, notes = read_photograph(tmp_path / "a.png")
    assert (np.asarray(image) == RGB).all() and image.mode == "RGB" and notes == []


def test_a_camera_that_was_held_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    image, notes = read_photograph(tmp_path / "a.png")
    assert image.size == (16, 24) and notes == ["turned upright"]
    assert (np.asarray(image) == np.rot90(RGB, -1)).all()


def test_grey_and_palettes_are_repeated(tmp_path):
    Image.fromarray(COLUMNS).save(tmp_path / "a.png")
    assert (pixels(tmp_path / "a.png") == COLUMNS[..., None]).all()
    Image.fromarray(COLUMNS).convert("P").save(tmp_path / "b.png")
    assert pixels(tmp_path / "b.png").shape == (16, 24, 3)


def test_transparent_pixels_are_laid_on_white(tmp_path):
    alpha = np.full_like(COLUMNS, 255)
    Image.fromarray(np.dstack([RGB, alpha])).save(tmp_path / "opaque.png")
    image, notes = read_photograph(tmp_path / "opaque.png")
    assert (np.asarray(image) == RGB).all() and notes == []
    alpha[:, :4], alpha[:, 4:8] = 0, 128
    Image.fromarray(np.dstack([RGB, alpha])).save(tmp_path / "a.png")
    image, notes = read_photograph(tmp_path / "a.png")
    made = np.asarray(image).astype(int)
    assert (
        notes == ["transparent pixels laid on white"]
        and (made[:, :4] == 255).all()
        and (made[:, 8:] == RGB[:, 8:]).all()
    )
    assert abs(made[:, 4:8] - (RGB[:, 4:8] * (128 / 255) + 255 * (127 / 255))).max() <= 1
    Image.fromarray(COLUMNS).save(tmp_path / "b.png", transparency=0)
    assert pixels(tmp_path / "b.png")[0, 0].tolist() == [255] * 3


def test_sixteen_bits_are_rounded(tmp_path):
    for name in ("a.png", "a.tif"):
        Image.fromarray(COLUMNS.astype(np.uint16) * 257).save(tmp_path / name)
        image, notes = read_photograph(tmp_path / name)
        assert (np.asarray(image) == COLUMNS[..., None]).all() and notes == ["16 bits a channel rounded to 8"]


def test_cmyk_is_converted(tmp_path):
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    image, notes = read_photograph(tmp_path / "a.jpg")
    assert notes == ["CMYK converted to RGB"] and abs(np.asarray(image).astype(int) - RGB).mean() < 12


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.fromarray(np.full((16, 16, 3), value, np.uint8)) for value in (40, 200, 90)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    image, notes = read_photograph(tmp_path / "a.gif")
    assert notes == ["its first frame of 3"] and abs(np.asarray(image).astype(int) - 40).max() <= 2


def test_what_is_no_picture_is_said_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:2000])
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name in ("text.png", "cut.png", "empty.jpg"):
        with pytest.raises(ValueError, match=rf"{name} cannot be read as a picture \(") as error:
            read_photograph(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(
        FileNotFoundError, match=r"images must be files or folders, got '.*none\.png', which does not exist"
    ):
        read_photograph(tmp_path / "none.png")
    Image.new("1", (12000, 9000)).save(tmp_path / "large.png")
    with pytest.raises(ValueError, match=r"108 megapixels, more than the 89 that are decoded; make it smaller"):
        read_photograph(tmp_path / "large.png")


def test_the_middle_square_is_taken_and_said():
    image, notes = crop_square(Image.fromarray(RGB), 16)
    assert (np.asarray(image) == RGB[:, 4:20]).all() and notes == ["24x16 pixels made 16x16, its middle square"]
    image, notes = crop_square(image, 8)
    assert image.size == (8, 8) and notes == ["16x16 pixels made 8x8"] and crop_square(image, 8)[1] == []


def test_tensors_have_the_generators_channels(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    colour, grey = (read_picture(tmp_path / "a.png", 16, channels) for channels in (3, 1))
    assert colour.shape == (3, 16, 16) and grey.shape == (1, 16, 16)
    assert (((colour + 1) * 127.5).round().numpy().transpose(1, 2, 0) == RGB[:, 4:20]).all()
    assert to_tensor(Image.new("RGB", (2, 2), "white"), 1).tolist() == [[[1.0] * 2] * 2]


def test_names_tell_files_apart(tmp_path):
    for name in ("b/x.png", "x.png", "x.jpg", "b/.hidden.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(RGB).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    names = find_pictures(str(tmp_path))
    assert {name: file.relative_to(tmp_path).as_posix() for name, file in names.items()} == {
        "b-x": "b/x.png",
        "x-jpg": "x.jpg",
        "x-png": "x.png",
    }
    assert list(find_pictures(str(tmp_path / "*.jpg"))) == ["x"] == list(find_pictures(str(tmp_path / "x.png")))
    twice = find_pictures([str(tmp_path / "x.png"), str(tmp_path / "b" / "x.png")])
    assert len(twice) == 2 and len(set(twice.values())) == 2
    (tmp_path / "empty").mkdir()
    for nothing in ("empty", "none.png", "*.tif"):
        with pytest.raises(
            FileNotFoundError,
            match=r"images must be pictures \(\.jpg.*\), or folders or patterns of them, got .*, which has none",
        ):
            find_pictures(str(tmp_path / nothing))
