"""Images one after the other: GIF, and MP4 where ffmpeg is installed."""

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

from latent_lab.figures.strips import as_picture

SMALLEST = 128  # pixels a side that a viewer shows well


def frames_of(images: Tensor) -> np.ndarray:
    """Frames there and back, so that a loop has no jump; small images are repeated pixel by pixel."""
    frames = np.stack([np.asarray(as_picture([image[None]])) for image in images])
    times = -(-SMALLEST // frames.shape[1])
    frames = frames.repeat(times, 1).repeat(times, 2)
    return np.concatenate([frames, frames[-2:0:-1]])


def gif_bytes(images: Tensor, fps: int) -> bytes:
    """A looping GIF of images :math:`(S, C, H, W)` in [-1, 1]."""
    first, *rest = [Image.fromarray(frame).quantize(dither=Image.Dither.NONE) for frame in frames_of(images)]
    stream = io.BytesIO()
    first.save(stream, "GIF", save_all=True, append_images=rest, duration=round(1000 / fps), loop=0)
    return stream.getvalue()


def find_ffmpeg() -> str:
    """The program that encodes MP4: the system's, or that of the package imageio-ffmpeg."""
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


def mp4_bytes(images: Tensor, fps: int) -> bytes:
    """An H.264 video of images :math:`(S, C, H, W)` in [-1, 1], there and back.

    Raises:
        FileNotFoundError: where there is no ffmpeg.
        ValueError: with its last line, where ffmpeg fails.
    """
    frames = frames_of(images)
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


WRITERS = {"gif": gif_bytes, "mp4": mp4_bytes}
