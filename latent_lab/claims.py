"""Folders of new runs. Each run gets its own, even if two begin in the same second, and all its processes find it."""

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


def read_rank() -> int:
    """Return the number of this process in a training of several, 0 for the first."""
    return max(int(os.environ.get(name, 0)) for name in ("LOCAL_RANK", "RANK", "SLURM_PROCID"))


def identify_job() -> str:
    """Return a name that the processes of one run share. A cluster or launcher gives each run another."""
    if "SLURM_JOB_ID" in os.environ:
        return f"slurm {os.environ['SLURM_JOB_ID']}.{os.environ.get('SLURM_STEP_ID', '')}"
    if "MASTER_PORT" in os.environ:
        return f"{os.environ.get('MASTER_ADDR', '')}:{os.environ['MASTER_PORT']}"
    return ALONE


def claim(folder: Path, fixed: bool) -> Path:
    """Claim a folder that holds no run: this one, or the next free one of ``<name>-2``, ``<name>-3`` and so on.

    Arguments:
        folder: The folder; Hydra may have made it already.
        fixed: Whether the user asked for this one, so that no other will do.

    Raises:
        FileExistsError: The folder is fixed and holds a run.
    """
    for number in itertools.count(1):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        candidate.mkdir(parents=True, exist_ok=True)
        if try_claim(candidate):
            os.environ[FOUND_BY] = str(candidate.absolute())
            return candidate
        if fixed:
            raise FileExistsError(
                f"{folder} already holds a run; continue it with run={folder}, or give another target"
            )


def try_claim(folder: Path) -> bool:
    """Whether this process could claim the folder."""
    if (folder / "config.yaml").exists():
        return False
    try:
        with open(folder / CLAIM, "x") as stream:
            stream.write(identify_job())
    except FileExistsError:
        return False
    if (folder / "config.yaml").exists():  # a run has begun, and settled, since we looked
        (folder / CLAIM).unlink()
        return False
    return True


def settle(folder: Path) -> None:
    """Remove the claim of a run that has begun, if no other process looks for it."""
    if (folder / CLAIM).read_text() == ALONE:
        (folder / CLAIM).unlink()


def make_free_folder(folder: Path) -> Path:
    """Make a new folder: this one, or the next free one of ``<name>-2``, ``<name>-3`` and so on."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        with contextlib.suppress(FileExistsError):
            candidate.mkdir()
            return candidate


def wait_for_claim(folder: Path) -> Path | None:
    """Return the folder that the first process of this run claimed, once it holds a configuration; None if it never
    does.

    Ranks above 0 wait for it. A job that Slurm put back into its queue finds what it claimed when it ran before.
    """
    requeued = int(os.environ.get("SLURM_RESTART_COUNT", 0)) > 0
    if read_rank() == 0 and not requeued:
        return None
    told = os.environ.get(FOUND_BY)
    end = time.monotonic() + (60 if read_rank() else 0)
    while True:
        found = Path(told) if told and read_rank() else find_own_claim(folder, requeued)
        if found is not None and (found / "config.yaml").exists():
            return found
        if time.monotonic() >= end:
            return None
        time.sleep(0.1)


def find_own_claim(folder: Path, requeued: bool) -> Path | None:
    """Return the newest folder beside this one that this job has claimed; None if there is none."""
    mine = identify_job().rsplit(".", 1)[0] + "." if requeued else identify_job()
    found = []
    for file in folder.parent.glob(f"*/{CLAIM}"):
        name = file.parent.name
        family = name == folder.name or (name.startswith(f"{folder.name}-") and name[len(folder.name) + 1 :].isdigit())
        if file.read_text().startswith(mine) and (family if requeued else file.stat().st_mtime > BEGUN - PATIENCE):
            found.append(file)
    if not found and (folder / "config.yaml").exists() and not (folder / CLAIM).exists():
        return folder  # of a version that made no claims
    return max(found, key=lambda file: file.stat().st_mtime).parent if found else None
