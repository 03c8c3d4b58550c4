"""Walks as files that viewers play."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from latent_lab.figures.strips import make_picture
from latent_lab.figures.walks import encode_gif, encode_mp4


@pytest.fixture
def images(rng):
    return torch.rand(4, 1, 32, 32, generator=rng) * 2.4 - 1.2


def test_a_gif_goes_there_and_back_for_ever(images):
    picture = Image.open(io.BytesIO(encode_gif(images, fps=10)))
    frames = [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)]
    assert picture.info["loop"] == 0 and picture.info["duration"] == 100
    assert [frame.shape for frame in frames] == [(128, 128, 3)] * 6
    for frame, number in zip(frames, (0, 1, 2, 3, 2, 1)):  # 256 colours at most, here of a few
        assert np.abs(frame[::4, ::4] - np.asarray(make_picture([images[number : number + 1]])).astype(int)).max() <= 8
    assert encode_gif(images, 10) == encode_gif(images, 10)


def test_mp4_needs_ffmpeg_and_gets_raw_frames(images, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="walk must be gif or null where ffmpeg is not installed, got 'mp4'"):
        encode_mp4(images, 10)
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/sh\nfor last; do :; done\necho "$@" > "$last"\n/bin/cat | /usr/bin/wc -c >> "$last"\n')
    program.chmod(0o755)
    text = encode_mp4(images, 10).decode()
    assert "-s 128x128 -r 10" in text and int(text.split()[-1]) == 6 * 128 * 128 * 3
    program.write_text('#!/bin/sh\necho first >&2\necho "no such codec" >&2\nexit 1\n')
    with pytest.raises(ValueError, match="walk=mp4: ffmpeg failed and said: no such codec"):
        encode_mp4(images, 10)
    assert os.listdir(tmp_path) == ["ffmpeg"]
