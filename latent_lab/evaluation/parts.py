"""The parts of an evaluation, kept in a folder as they come, so that an interrupted evaluation continues."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from latent_lab.checkpoints import native
from latent_lab.progress import track
from latent_lab.runs import Run


def observe_in_parts(
    observe: Callable[[int, int], dict[str, Tensor]], total: int, chunk: int, title: str, run: Run | None, place: str
) -> dict[str, Tensor]:
    """Return what was observed of all latents, a row a latent.

    Arguments:
        observe: Observes latents, given the number of the first one and how many there are.
        total: Number of latents.
        chunk: Number of latents observed at once.
        title: Text of the progress bar.
        run: Run whose folder keeps each part until the last one is there; None keeps nothing.
        place: Place of the parts in that folder.
    """
    parts: list[dict[str, Tensor]] = []
    for first in track(range(0, total, chunk), title):
        num = min(chunk, total - first)
        if run is None:
            parts.append(observe(first, num))
            continue
        file = run.folder / place / f"{first:06d}.safetensors"
        if file.exists():
            parts.append(native.read(file)[0])
        else:
            parts.append(observe(first, num))
            run.write(f"{place}/{file.name}", native.to_bytes(parts[-1], {}))
        require_alike(parts, num, file)
    return {name: torch.cat([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def require_alike(parts: Sequence[Mapping[str, Tensor]], num: int, file: Path) -> None:
    """Raise an error where the last part is not of ``num`` latents, or does not hold what the first one does: another
    program wrote it."""
    form, last = (
        {name: (value.dtype, value.shape[1:]) for name, value in part.items()} for part in (parts[0], parts[-1])
    )
    if form != last or any(len(value) != num for value in parts[-1].values()):
        raise ValueError(
            f"{file.parent} holds parts of another evaluation, as {file.name}; delete that folder, and evaluate again"
        )


@contextlib.contextmanager
def keep_parts(folder: Path) -> Iterator[None]:
    """Keep the folder of an evaluation's parts until the last of the evaluations that use it has ended well."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            stream = open(folder / ".lock", "a")
            fcntl.flock(stream, fcntl.LOCK_SH)
            if os.path.samestat(os.fstat(stream.fileno()), os.stat(folder / ".lock")):
                break
            stream.close()
        except FileNotFoundError:  # another evaluation ended in between and took the folder with it
            continue
    with stream:
        yield
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # the other one needs the parts, and will remove them
        shutil.rmtree(folder)
        with contextlib.suppress(OSError):  # there are parts of another evaluation
            folder.parent.rmdir()
