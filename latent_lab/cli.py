"""What the commands share: where the configurations lie, and errors of one line."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

from omegaconf import OmegaConf

from latent_lab.cpu_memory import keep_freed_memory
from latent_lab.errors import NotApplicable

_PACKAGE = Path(__file__).resolve().parent
CONF = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"  # in a wheel, in a checkout

# one line for each run of this process's sweep that failed, and that was skipped; None outside of sweeps (latent_lab.workflows.sweep)
failures: list[str] | None = None
skipped: list[str] | None = None
running = ""  # the sweep's run of the moment: its folder within the sweep's

# hydra.run.dir: the folder that is continued, else a new one
OmegaConf.register_new_resolver("first", lambda *values: next(value for value in values if value is not None), replace=True)


def one_line_errors(command: Callable) -> Callable:
    """Prints what is wrong as one line and exits with 1, in a sweep once all have run, unless the method does not apply; ``HYDRA_FULL_ERROR=1`` shows the traceback."""

    @functools.wraps(command)
    def guarded(config):
        keep_freed_memory()
        try:
            return command(config)
        except KeyboardInterrupt:
            sys.exit("latent_lab: stopped; a run that had begun continues with run=<folder>")
        except Exception as error:
            if os.environ.get("HYDRA_FULL_ERROR") == "1":
                raise
            cause = error.__cause__ if type(error).__name__ == "InstantiationException" and error.__cause__ else error
            text = " ".join(str(cause).split())
            if not isinstance(cause, ValueError | OSError | FloatingPointError):
                text = f"{type(cause).__name__}: {text} (HYDRA_FULL_ERROR=1 shows where)"
            if failures is None:
                sys.exit(f"latent_lab: {text}")
            inapplicable = isinstance(cause, NotApplicable)
            (skipped if inapplicable else failures).append(f"{running}: {text}")
            print(f"latent_lab: {'skipped: ' if inapplicable else ''}{text}; the sweep goes on", file=sys.stderr)

    return guarded
