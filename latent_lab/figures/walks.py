"""Moving pictures: GIF, and MP4 if ffmpeg is installed."""

from __future__ import annotations

import importlib.util
import io
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from latent_lab.figures.strips import make_picture

SMALLEST = 128  # pixels a side that a viewer shows well


def make_frames(images: Tensor) -> np.ndarray:
    """Return frames there and back, so that a loop has no jump. Small images are enlarged by repeating pixels."""
    frames = np.stack([np.asarray(make_picture([image[None]])) for image in images])
    times = -(-SMALLEST // frames.shape[1])
    frames = frames.repeat(times, 1).repeat(times, 2)
    return np.concatenate([frames, frames[-2:0:-1]])


def encode_gif(images: Tensor, fps: int) -> bytes:
    """Return a looping GIF of images :math:`(S, C, H, W)` in [-1, 1]."""
    first, *rest = [Image.fromarray(frame).quantize(dither=Image.Dither.NONE) for frame in make_frames(images)]
    stream = io.BytesIO()
    first.save(stream, "GIF", save_all=True, append_images=rest, duration=round(1000 / fps), loop=0)
    return stream.getvalue()


def find_ffmpeg() -> str:
    """Return the path of the program that encodes MP4: the system's, or that of the package imageio-ffmpeg.

    Raises:
        FileNotFoundError: There is none.
    """
    found = shutil.which("ffmpeg")
    if found is None and importlib.util.find_spec("imageio_ffmpeg") is not None:
        import imageio_ffmpeg

        found = imageio_ffmpeg.get_ffmpeg_exe()
    if found is None:
        raise FileNotFoundError(
            "walk must be gif or null where ffmpeg is not installed, got 'mp4'; install it, "
            "or pip install imageio-ffmpeg"
        )
    return found


def encode_mp4(images: Tensor, fps: int) -> bytes:
    """Return an H.264 video of images :math:`(S, C, H, W)` in [-1, 1], there and back.

    Raises:
        FileNotFoundError: There is no ffmpeg.
        ValueError: It failed; the error has its last line.
    """
    frames = make_frames(images)
    height, width = frames.shape[1:3]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "walk.mp4"
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"]
        even = "pad=ceil(iw/2)*2:ceil(ih/2)*2"  # which yuv420p needs
        made = [
            "-an",
            "-c:v",
            "libx264",
            "-crf",
            "16",
            "-pix_fmt",
            "yuv420p",
            "-vf",
            even,
            "-movflags",
            "+faststart",
            str(target),
        ]
        done = subprocess.run(
            [find_ffmpeg(), "-loglevel", "error", "-y", *source, *made], input=frames.tobytes(), capture_output=True
        )
        if done.returncode or not target.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
            raise ValueError(f"walk=mp4: ffmpeg failed and said: {said[-1]}")
        return target.read_bytes()


WRITERS = {"gif": encode_gif, "mp4": encode_mp4}
