"""The command ``compare``: rows are methods, columns are scores, with intervals over seeds."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig

from latent_lab.claims import make_free_folder
from latent_lab.console import log
from latent_lab.evaluation.compare import read_scored, write_comparison
from latent_lab.figures.tables import write_markdown
from latent_lab.loading import find_runs


def compare(config: DictConfig) -> None:
    """Write ``<target>/<gan>.{md,csv,tex}`` for each generator and one ``compare.html``."""
    scored = read_scored(find_runs(config.run), config.protocol)
    if not scored:
        raise ValueError(
            f"run must be folders of runs that have been evaluated with evaluation={config.protocol}; make it with "
            f"python -m latent_lab.evaluate run={config.run} evaluation={config.protocol}"
        )
    if config.target is None:
        target = make_free_folder(Path(f"outputs/compare/{datetime.now():%Y-%m-%d_%H-%M-%S}"))
    else:
        target = Path(config.target)
        if target.exists() and any(target.iterdir()):
            raise FileExistsError(f"target must be a new or empty folder, got {target}")
    title = f"{len(scored)} runs, evaluation {config.protocol}"
    for table in write_comparison(scored, config.columns, target, title).values():
        print(write_markdown(table))
    log.info(f"report {target / 'compare.html'}")
