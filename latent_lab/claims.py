"""Folders of new runs: each run gets its own, also when two begin in the same second, and the other processes of a run
find it."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from pathlib import Path

CLAIM = ".claim"  # made by the one process that may use the folder, with its job's name in it
FOUND_BY = "LATENT_LAB_RUN"  # the folder, for processes that the first one starts
ALONE = "one process"
PATIENCE = 120.0  # seconds that ranks may begin apart
BEGUN = time.time()


def rank() -> int:
    """The number of this process in a training of several, 0 for the first."""
    return max(int(os.environ.get(name, 0)) for name in ("LOCAL_RANK", "RANK", "SLURM_PROCID"))


def job() -> str:
    """What the processes of one run have in common, and other runs have not where a cluster or launcher tells."""
    if "SLURM_JOB_ID" in os.environ:
        return f"slurm {os.environ['SLURM_JOB_ID']}.{os.environ.get('SLURM_STEP_ID', '')}"
    if "MASTER_PORT" in os.environ:
        return f"{os.environ.get('MASTER_ADDR', '')}:{os.environ['MASTER_PORT']}"
    return ALONE


def claim(folder: Path, fixed: bool) -> Path:
    """Claims a folder that no run has: this one, or the next of ``<name>-2``, ``<name>-3`` and so on.

    Arguments:
        folder: The folder; Hydra may have made it already.
        fixed: Whether the user asked for this one, so that no other will do.

    Raises:
        FileExistsError: The folder is fixed and holds a run.
    """
    for number in itertools.count(1):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        candidate.mkdir(parents=True, exist_ok=True)
        if take(candidate):
            os.environ[FOUND_BY] = str(candidate.absolute())
            return candidate
        if fixed:
            raise FileExistsError(
                f"{folder} already holds a run; continue it with run={folder}, or give another target"
            )


def take(folder: Path) -> bool:
    """Whether the folder is now this process's."""
    if (folder / "config.yaml").exists():
        return False
    try:
        with open(folder / CLAIM, "x") as stream:
            stream.write(job())
    except FileExistsError:
        return False
    if (folder / "config.yaml").exists():  # a run has begun, and settled, since we looked
        (folder / CLAIM).unlink()
        return False
    return True


def settle(folder: Path) -> None:
    """Removes the claim of a run that has begun, where no other process looks for it."""
    if (folder / CLAIM).read_text() == ALONE:
        (folder / CLAIM).unlink()


def fresh(folder: Path) -> Path:
    """Makes a folder that is not there yet: this one, or the next of ``<name>-2``, ``<name>-3`` and so on."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        with contextlib.suppress(FileExistsError):
            candidate.mkdir()
            return candidate


def claimed(folder: Path) -> Path | None:
    """The folder that the first process of this run claimed, once its configuration is there; None if there is none in
    time.

    Ranks above 0 wait for it. A job that Slurm put back into its queue finds what it claimed when it ran before.
    """
    requeued = int(os.environ.get("SLURM_RESTART_COUNT", 0)) > 0
    if rank() == 0 and not requeued:
        return None
    told = os.environ.get(FOUND_BY)
    end = time.monotonic() + (60 if rank() else 0)
    while True:
        found = Path(told) if told and rank() else own_claim(folder, requeued)
        if found is not None and (found / "config.yaml").exists():
            return found
        if time.monotonic() >= end:
            return None
        time.sleep(0.1)


def own_claim(folder: Path, requeued: bool) -> Path | None:
    """The newest claim of this job beside the folder."""
    mine = job().rsplit(".", 1)[0] + "." if requeued else job()
    found = []
    for file in folder.parent.glob(f"*/{CLAIM}"):
        name = file.parent.name
        family = name == folder.name or (name.startswith(f"{folder.name}-") and name[len(folder.name) + 1 :].isdigit())
        if file.read_text().startswith(mine) and (family if requeued else file.stat().st_mtime > BEGUN - PATIENCE):
            found.append(file)
    if not found and (folder / "config.yaml").exists() and not (folder / CLAIM).exists():
        return folder  # of a version that made no claims
    return max(found, key=lambda file: file.stat().st_mtime).parent if found else None
