"""A download that goes on where an interrupted one stopped."""

from __future__ import annotations

from pathlib import Path

import requests
from tqdm import tqdm


class Resuming:
    """Downloader for pooch: keeps what has come under ``<file>.part`` and asks a server only for the rest.

    Arguments:
        part: The unfinished file.
        chunk: Bytes read at once.
    """

    def __init__(self, part: Path, chunk: int = 2**20) -> None:
        self.part, self.chunk = part, chunk

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Fetch a file, as pooch asks for it."""
        start = self.part.stat().st_size if self.part.is_file() else 0
        with requests.get(
            url, headers={"Range": f"bytes={start}-"} if start else {}, stream=True, timeout=30
        ) as answer:
            if start and answer.status_code == 416:  # nothing is left to send; the checksum judges what is there
                return self.finish(output_file)
            answer.raise_for_status()
            start = start if answer.status_code == 206 else 0
            total = int(answer.headers.get("Content-Length", 0)) + start
            with (
                open(self.part, "ab" if start else "wb") as stream,
                tqdm(total=total, initial=start, unit="B", unit_scale=True) as bar,
            ):
                for piece in answer.iter_content(self.chunk):
                    stream.write(piece)
                    bar.update(len(piece))
            if bar.n < total:
                raise ConnectionError(f"{bar.n} of {total} bytes came; the same command goes on from there")
        return self.finish(output_file)

    def finish(self, output_file: str) -> None:
        """Give the finished file its name."""
        self.part.replace(output_file)
