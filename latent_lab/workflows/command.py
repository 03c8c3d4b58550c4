"""The start of every command: it composes its configuration, checks it, runs, and says in one line if something is
wrong."""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from latent_lab import cli
from latent_lab.console import escape_text, log, printed
from latent_lab.cpu_memory import keep_freed_memory
from latent_lab.errors import NotApplicable
from latent_lab.installation import CONF

FULL = "HYDRA_FULL_ERROR"


def command(name: str) -> Callable[[Callable], Callable[[], None]]:
    """Make a main of a function of a configuration: ``python -m latent_lab.<name>``, configured by
    ``conf/<name>.yaml``.

    ``HYDRA_FULL_ERROR=1`` shows tracebacks and Hydra's own words instead of one line.
    """

    def decorate(function: Callable) -> Callable[[], None]:
        @functools.wraps(function)
        def task(config):
            # a cluster's job gets this function by value, as one of __main__: what it needs is imported, not carried
            # along
            from latent_lab.workflows.command import guarded

            return guarded(function, name, config)

        @functools.wraps(function)
        def main() -> None:
            from latent_lab.workflows.command import run

            run(task, name)

        return main

    return decorate


def run(task: Callable, name: str) -> None:
    """Run a command with the arguments of this process."""
    cli.continues = cli.failures = cli.skipped = None
    with terminable(), printed():
        try:
            import hydra
            from hydra._internal import utils

            from latent_lab.workflows.search_path import find_extensions

            find_extensions()
            from latent_lab.workflows.overrides import as_choices

            sys.argv[1:] = map(as_choices, sys.argv[1:])
            started = hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(task)
            if os.environ.get(FULL) == "1":
                return started()
            require_flags(utils.get_args_parser(), name)
            results: list = []
            # Hydra prints pages and exits there; the errors are wanted here (hydra-core >=1.3.8,<1.4)
            with mock.patch.object(utils, "run_and_report", lambda part: results.append(part()) or results[-1]):
                started()
            report_jobs(results[-1] if results else None)
        except (KeyboardInterrupt, cli.Stopped):
            sys.exit(f"latent_lab: {cli.stopped(name)}")
        except Exception as error:
            if os.environ.get(FULL) == "1":
                raise
            sys.exit(f"latent_lab: {escape_text(outside(error, name))}")


def report_jobs(batches: object) -> None:
    """End with the lines of a sweep's runs that failed in processes of their own."""
    jobs = [job for batch in batches for job in batch] if isinstance(batches, list) else []
    values = [job.return_value for job in jobs if isinstance(job.return_value, cli.Failed)]
    skipped, failed = ([value.text for value in values if value.skipped is which] for which in (True, False))
    if skipped:
        log.info(f"{len(skipped)} runs of the sweep were skipped, which do not apply: " + "; ".join(skipped))
    if failed:
        sys.exit(f"latent_lab: {len(failed)} runs of the sweep failed: " + "; ".join(failed))


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """End the command with one line at SIGTERM, unless somebody else (submitit, a test) listens to it."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, cli.stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def require_flags(parser: argparse.ArgumentParser, name: str) -> None:
    """Refuse flags that Hydra does not know, with an error of one line."""

    def refuse(message: str) -> None:
        raise SystemExit(
            f"latent_lab: {escape_text(message)}; python -m latent_lab.{name} --hydra-help lists the flags"
        )

    parser.error = refuse
    _, unknown = parser.parse_known_args()
    if unknown:
        refuse(f"{unknown[0]} is no flag; keys are given as key=value")


def guarded(function: Callable, name: str, config) -> object:
    """Check the configuration and run the command. An error becomes one line and the exit status 1; in a sweep it is
    told once all have run, unless the method does not apply."""
    cli.continues = None
    keep_freed_memory()
    try:
        from latent_lab.workflows.overrides import validate_here

        validate_here(config, name)
        with printed():  # in a job of its own too
            return function(config)
    except (KeyboardInterrupt, cli.Stopped):
        sys.exit(f"latent_lab: {cli.stopped(name)}")
    except Exception as error:
        if os.environ.get(FULL) == "1":
            raise
        text, cause = inside(error)
        inapplicable, subdir = isinstance(cause, NotApplicable), cli.running if cli.failures is not None else sweeping()
        if subdir is None:
            sys.exit(f"latent_lab: {escape_text(text)}")
        log.warning(f"{'skipped: ' if inapplicable else ''}{text}; the sweep goes on")
        failed = cli.Failed(f"{subdir}: {escape_text(text)}", inapplicable)
        if cli.failures is None:
            return failed
        (cli.skipped if inapplicable else cli.failures).append(failed.text)


def sweeping() -> str | None:
    """Return the folder, within its sweep's, of the run that this process makes for another process's sweep; None if
    there is no sweep."""
    from hydra.core.hydra_config import HydraConfig

    settings = HydraConfig.get() if HydraConfig.initialized() else None
    return (
        str(settings.sweep.subdir)
        if settings is not None and settings.mode is not None and settings.mode.name == "MULTIRUN"
        else None
    )


def inside(error: Exception) -> tuple[str, Exception]:
    """Return the text of an error within a command, and its first cause."""
    key = ""
    while type(error).__name__ == "InstantiationException":
        key = match.group(1) if (match := re.search(r"full_key: (\S+)", str(error))) else key
        if error.__cause__ is None or str(error).startswith("Error locating target"):
            named = re.search(r"target '([^']*)'", str(error))
            return f"{key}._target_ must name a class, got {named.group(1) if named else 'none'!r}", error
        error = error.__cause__
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    if (
        isinstance(error, OSError)
        and error.errno in (errno.ENOSPC, errno.EDQUOT)
        and cli.continues
        and "run=" not in text
    ):
        text += f"; continue with run={cli.continues}"
    if (
        isinstance(error, OSError)
        and error.errno in (errno.EACCES, errno.EROFS)
        and (folder := output_folder(error.filename))
    ):
        text = f"cannot write to the folder {folder} ({error.strerror}); give another target"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "not enough memory" in text:
        text = "out of memory; a smaller batch_size takes less"
    elif type(error).__name__ == "MisconfigurationException":  # Lightning's word for an option that cannot be
        pass
    elif not isinstance(error, ValueError | OSError | FloatingPointError):
        text = f"failed unexpectedly: {text or 'without a word'} (HYDRA_FULL_ERROR=1 shows where)"
    return placed(text, key), error


def placed(text: str, key: str) -> str:
    """Return the text with the full key of what was built, where it does not name it itself."""
    first = re.match(r"[\w.]+", text)
    word = first.group() if first else ""
    above, _, last = key.rpartition(".")
    if not key or word.split(".")[0] == key.split(".")[0]:
        return text
    if word.split(".")[0] == last and above:
        return f"{above}.{text}"
    return f"{key}.{text}" if re.match(r"[a-z_]+ must ", text) else f"{key}: {text}"


def output_folder(file: object) -> Path | None:
    """Return the run's folder, if the file lies in it."""
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized() or not isinstance(file, str | Path):
        return None
    folder = Path(HydraConfig.get().runtime.output_dir)
    return folder if folder in Path(file).absolute().parents else None


def outside(error: Exception, name: str) -> str:
    """Return the text of an error before or around the command, while Hydra composes the configuration and makes the
    folder."""
    from latent_lab.workflows.overrides import line_of

    if isinstance(error, OSError) and error.errno is not None:
        asked = any(argument.startswith("hydra.run.dir=") for argument in sys.argv)
        key = "hydra.sweep.dir" if cli.failures is not None else "hydra.run.dir" if asked else "target"
        return f"cannot make the folder {error.filename} ({error.strerror}); give another {key}"
    if type(error).__name__ == "InstantiationException":
        return inside(error)[0]
    return line_of(error, name, sys.argv[1:])
