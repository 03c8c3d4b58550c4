"""Hydra's callback: a run's configuration is checked before it starts; a sweep (``-m``, ``sweep=``) gets a folder of
its own, continues where one run fails, and may end in a page that compares."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from latent_lab import cli
from latent_lab.claims import make_free_folder
from latent_lab.console import escape_text, log


class Sweep(Callback):
    """Hydra's callback of every command.

    Arguments:
        page: Name of the page that compares a sweep's runs, beside them in the sweep's folder; None for no page.
    """

    def __init__(self, page: str | None = None) -> None:
        self.page = page

    def on_run_start(self, config: DictConfig, **kwargs) -> None:
        """Refuse impossible options before Hydra makes the run's folder."""
        from latent_lab.workflows.overrides import validate_here

        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            return  # the command checks too, and there the error is shown
        task = config.copy()
        OmegaConf.set_struct(task, False)
        del task["hydra"]
        try:
            validate_here(task, config.hydra.job.config_name)
        except ValueError as error:
            sys.exit(f"latent_lab: {escape_text(error)}")

    def on_multirun_start(self, config: DictConfig, **kwargs) -> None:
        cli.failures, cli.skipped = [], []
        if not any(line.lstrip("+").startswith("hydra.sweep.dir=") for line in config.hydra.overrides.hydra):
            claim(config)

    def on_job_start(self, config: DictConfig, **kwargs) -> None:
        if cli.failures is not None:
            cli.running = config.hydra.sweep.subdir

    def on_multirun_end(self, config: DictConfig, **kwargs) -> None:
        failures, skipped, cli.failures, cli.skipped = cli.failures, cli.skipped, None, None
        folder = Path(config.hydra.sweep.dir)
        if skipped:
            log.info(f"{len(skipped)} runs of the sweep were skipped, which do not apply: " + "; ".join(skipped))
        if self.page is not None and any(folder.glob("*/*/metrics.json")):
            self.compare(folder / self.page, config.evaluation.name)
        if failures:
            sys.exit(f"latent_lab: {len(failures)} runs of the sweep failed: " + "; ".join(failures))

    def compare(self, target: Path, evaluation: str) -> None:
        """Write the page that compares the runs of the sweep into ``target``, by the scores of one evaluation."""
        from latent_lab.workflows.build import compose_config
        from latent_lab.workflows.compare import compare

        compare(
            compose_config("compare", [f"run='{target.parent}/*/*'", f"protocol={evaluation}", f"target='{target}'"])
        )


def claim(config: DictConfig) -> None:
    """Make the sweep's folder, with a number behind its name if another sweep has that, and tell Hydra and all jobs."""
    from latent_lab.workflows.overrides import escaped

    wanted = Path(config.hydra.sweep.dir)
    try:
        folder = make_free_folder(wanted)
    except OSError as error:
        sys.exit(
            f"latent_lab: cannot make the folder {escape_text(wanted)} ({error.strerror}); give another hydra.sweep.dir"
        )
    config.hydra.sweep.dir = str(folder)
    config.hydra.overrides.hydra.append(f"hydra.sweep.dir={escaped(str(folder))}")  # which each job is composed with
