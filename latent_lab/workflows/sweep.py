"""Sweeps on this machine (``-m``, ``sweep=``): one failure does not stop the other runs, a method that does not apply is none, and a page may compare them at the end."""

from __future__ import annotations

import sys
from pathlib import Path

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from latent_lab import cli


class Sweep(Callback):
    """Hydra's callback of a sweep.

    Arguments:
        page: Folder of the page that compares the runs, beside them in the sweep's folder; None for no page.
    """

    def __init__(self, page: str | None = None) -> None:
        self.page = page

    def on_multirun_start(self, config: DictConfig, **kwargs) -> None:
        cli.failures, cli.skipped = [], []

    def on_job_start(self, config: DictConfig, **kwargs) -> None:
        if cli.failures is not None:
            cli.running = config.hydra.sweep.subdir

    def on_multirun_end(self, config: DictConfig, **kwargs) -> None:
        failures, skipped, cli.failures, cli.skipped = cli.failures, cli.skipped, None, None
        if skipped:
            print(f"latent_lab: {len(skipped)} runs of the sweep were skipped, which do not apply: " + "; ".join(skipped))
        if self.page is not None and any(Path(self.page).parent.glob("*/*/metrics.json")):
            self.compare(Path(self.page), config.evaluation.name)
        if failures:
            sys.exit(f"latent_lab: {len(failures)} runs of the sweep failed: " + "; ".join(failures))

    def compare(self, target: Path, evaluation: str) -> None:
        from latent_lab.workflows.build import composed
        from latent_lab.workflows.compare import compare

        compare(composed("compare", [f"runs='{target.parent}/*/*'", f"protocol={evaluation}", f"target='{target}'"]))
