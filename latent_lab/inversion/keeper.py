"""Loops that can be stopped and continue with the same bits: their steps, and the folder that keeps their state."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor

from latent_lab.checkpoints import native
from latent_lab.console import log
from latent_lab.inversion.base import Track, require_number, untracked
from latent_lab.inversion.parts import Part, fit, load, tensors_of
from latent_lab.plain import has_form, read_json
from latent_lab.runs import Run

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Steps:
    """The step numbers of a loop, all of them, or those that are left where ``track`` is a :class:`Keeper` that kept
    the others.

    Arguments:
        track: Shows the progress.
        num: Largest number of steps.
        name: Name of the loop.
        parts: Everything that the steps change, by name. It is changed in place; what was kept is put back before the
            first step.
    """

    def __init__(self, track: Track, num: int, name: str, parts: Mapping[str, Part]) -> None:
        self.track, self.num, self.name, self.parts = track, num, name, parts
        self.done, self.ended = 0, False

    def end(self) -> None:
        """Make this step the last one. Call it instead of breaking out of the loop, which looks like an error."""
        self.ended = True

    def __iter__(self) -> Iterator[int]:
        keeper = self.track if isinstance(self.track, Keeper) else None
        if keeper is not None:
            keeper.enter(self)
        if self.ended:
            return
        for step in self.track(range(self.done, self.num), self.name):
            yield step
            self.done = step + 1
            if self.ended:
                break
            if keeper is not None:
                keeper.end_step(self)
        self.ended = True
        if keeper is not None:
            keeper.leave(self)


class Keeper:
    """Keeps the state of the loops of one batch of pictures, in ``state/`` of a run's folder, one file a loop.

    Where a batch is stopped, the next attempt finds its loops that have ended, and goes on in the middle of the last.
    The files are tensors and numbers; one that is damaged, or of other pictures, another configuration or another
    generator, is told and not used. Ctrl-C and SIGTERM let the step end, keep its state and stop; a second one stops at
    once.

    Arguments:
        run: The run whose folder keeps the state.
        every: Seconds between two writes.
        owner: Plain values that the results depend on besides the pictures.
    """

    def __init__(self, run: Run, every: float, owner: Mapping[str, object]) -> None:
        require_number("keep_every", every, above=True)
        self.run, self.folder, self.every, self.owner = run, run.folder / "state", every, dict(owner)
        self.track, self.mark, self.due = untracked, "", float("inf")
        # loops that have begun; whether those before the next had ended in the attempt before
        self.stage, self.continues = 0, True
        self.waiting: list[tuple[int, dict[str, Tensor], dict]] = []  # loops that have ended and are not written yet
        self.inside, self.stopped = False, 0  # whether a step runs, and the signal that came meanwhile
        self.spent, self.began = 0.0, 0.0  # seconds of the attempts before, and when this one began
        self.usual: dict[int, object] = {}

    def __call__(self, steps: Iterable, name: str) -> Iterable:
        return self.track(steps, name)

    def pictures(self) -> list[str]:
        """Return the names of the batch that was in work, in their order; an empty list where there is no usable record
        of one."""
        try:
            found = read_json(self.folder / "batch.json")
        except (OSError, ValueError):
            return []
        return list(found["pictures"]) if has_form(found, {"pictures": {str: str}}) else []

    @contextlib.contextmanager
    def batch(self, names: Sequence[str], pixels: Tensor, track: Track) -> Iterator[None]:
        """Keep the state of a batch's loops within this context, until its results are written and the state is no
        longer needed.

        Arguments:
            names: Names of the pictures.
            pixels: The pictures, N first, uint8.
            track: Shows the progress of the loops.
        """
        described = self.owner | {"pictures": {name: sha256({"pixels": one}) for name, one in zip(names, pixels)}}
        text = json.dumps(described, indent=1)
        self.mark, self.track = hashlib.sha256(text.encode()).hexdigest(), track
        self.stage, self.continues, self.waiting, self.due = 0, True, [], time.monotonic() + self.every
        self.spent, self.began = 0.0, time.monotonic()
        file = self.folder / "batch.json"
        if not file.is_file() or file.read_bytes() != text.encode():
            if self.folder.exists():
                log.warning(
                    f"{self.folder} is of other pictures, another configuration or another generator, and is not used"
                )
            self.clear()
            self.run.write("state/batch.json", text)
        self.listen()
        try:
            yield
            self.clear()
        finally:
            for number, handler in self.usual.items():
                signal.signal(number, handler)
            self.usual.clear()
            self.inside, self.stopped = False, 0

    def clear(self) -> None:
        """Remove the state of the batch before."""
        if self.folder.is_symlink():
            self.folder.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)

    def listen(self) -> None:
        """Delay signals until a step ends. A handler that somebody else has set (submitit, which requeues) stays."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            handler = signal.getsignal(number)
            ours = str(getattr(handler, "__module__", "")).split(".")[0] == "latent_lab"
            if ours or handler in (signal.SIG_DFL, signal.default_int_handler):
                self.usual[number] = signal.signal(number, self.note)

    def note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal so that the loop stops after its step; stop at once between steps or at a second signal."""
        if not self.inside or self.stopped:
            self.stop(number, frame)
        self.stopped = number

    def stop(self, number: int, frame: FrameType | None = None) -> None:
        """Do what the signal would have done without this class, at the least raise a KeyboardInterrupt."""
        handler = self.usual.get(number)
        if callable(handler):
            handler(number, frame)
        raise KeyboardInterrupt

    def enter(self, steps: Steps) -> None:
        """Put back what was kept of a loop that begins, if anything of use was."""
        self.stage += 1
        file = self.folder / f"{self.stage}.safetensors"
        if self.continues and file.is_file():
            try:
                steps.done, steps.ended = self.read(file, steps)
            except (ValueError, OSError, RecursionError) as error:
                log.warning(f"{steps.name} begins again: {error}")
            else:
                if not steps.ended:
                    log.info(f"{steps.name} continues at step {steps.done} of {steps.num}")
        self.continues = steps.ended  # what came after a loop that had not ended is of another attempt
        self.inside = not steps.ended

    def end_step(self, steps: Steps) -> None:
        """Keep the state where it is time, and stop where that was asked for."""
        if not self.stopped and time.monotonic() < self.due:
            return
        self.keep([*self.waiting, self.content(steps)])
        if self.stopped:
            self.stop(self.stopped)

    def leave(self, steps: Steps) -> None:
        """Take the state of a loop that has ended; it is written with the next one that is kept."""
        self.waiting.append(self.content(steps))
        self.inside = False
        if self.stopped:
            self.keep(self.waiting)
            self.stop(self.stopped)

    def content(self, steps: Steps) -> tuple[int, dict[str, Tensor], dict]:
        """Return the number of a loop's file, its tensors and its metadata."""
        tensors = {
            f"{name}:{key}": value
            for name, part in steps.parts.items()
            for key, value in tensors_of(part, ended=steps.ended).items()
        }
        about = {"batch": self.mark, "loop": steps.name, "steps": steps.num, "done": steps.done, "ended": steps.ended}
        about["seconds"] = self.spent + time.monotonic() - self.began
        return self.stage, tensors, about

    def keep(self, contents: Sequence[tuple[int, dict[str, Tensor], dict]]) -> None:
        """Write files. Where that fails, the inversion continues without them."""
        try:
            for stage, tensors, about in contents:
                content = native.to_bytes(tensors, about | {"sha256": sha256(tensors, about)})
                self.run.write(f"state/{stage}.safetensors", content)
        except OSError as error:
            log.warning(f"the state of the inversion is not kept: {error}")
            self.every = float("inf")
        self.waiting, self.due = [], time.monotonic() + self.every

    def read(self, file: Path, steps: Steps) -> tuple[int, bool]:
        """Put back what a file holds of a loop. Return how many steps are done, and whether the loop has ended.

        Raises:
            ValueError: It is damaged, or not of this loop and batch; nothing was put back.
        """
        tensors, about = native.read(file)
        done, ended, mark = about.get("done"), about.get("ended"), about.pop("sha256", None)
        if mark != sha256(tensors, about):
            raise ValueError(f"{file} is damaged: its SHA-256 is not that of its content")
        expected = {"batch": self.mark, "loop": steps.name, "steps": steps.num}
        if any(about.get(key) != value for key, value in expected.items()) or type(ended) is not bool:
            raise ValueError(f"{file} is of another batch or loop")
        if type(done) is not int or not 0 <= done <= steps.num:
            raise ValueError(f"{file} must have done from 0 to {steps.num} steps, got {str(done)[:40]}")
        parts: dict[str, dict[str, Tensor]] = {name: {} for name in steps.parts}
        for key, value in tensors.items():
            name, _, inner = key.partition(":")
            if name not in parts:
                raise ValueError(f"{file} holds {name[:40]!r}, which {steps.name} does not have")
            parts[name][inner] = value
        wrong = [name for name, part in steps.parts.items() if not fit(part, parts[name], done, ended)]
        if wrong:
            raise ValueError(f"{file} does not fit {wrong[0]!r} of {steps.name}")
        seconds = about.get("seconds")
        if type(seconds) is not float or not 0 <= seconds < 1e12:
            raise ValueError(f"{file} must say how many seconds it took, got {str(seconds)[:40]}")
        for name, part in steps.parts.items():
            load(part, parts[name])
        self.spent = seconds
        return done, ended


def sha256(tensors: Mapping[str, Tensor], about: Mapping[str, object] | None = None) -> str:
    """Return a hash of tensors by their names, types, shapes and bytes, and of plain values."""
    found = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()
