"""The command ``compare``: rows are methods, columns are scores, with intervals over seeds and draws."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig

from latent_lab.claims import make_free_folder
from latent_lab.console import log
from latent_lab.evaluation.compare import rebuild, write_comparison
from latent_lab.evaluation.gather import read_scored, read_scores
from latent_lab.figures.tables import write_markdown
from latent_lab.loading import find_runs


def compare(config: DictConfig) -> None:
    """Write ``<target>/<gan>.{md,csv,tex,scores.json}`` for each generator and one ``compare.html``, from runs or from
    the ``<gan>.scores.json`` of an earlier comparison."""
    if isinstance(config.run, str) and Path(config.run).expanduser().is_file():
        scores = read_scores(Path(config.run).expanduser())
        title = f"{len(scores['rows'])} rows, evaluation {scores['evaluation']}"
        target = make_target(config.target)
        tables = rebuild(scores, target, title, config.against)
    else:
        scored = read_scored(find_runs(config.run), config.protocol)
        if not scored:
            raise ValueError(
                f"run must be folders of runs that have been evaluated with evaluation={config.protocol}; make it with "
                f"python -m latent_lab.evaluate run={config.run} evaluation={config.protocol}"
            )
        title = f"{len(scored)} runs, evaluation {config.protocol}"
        target = make_target(config.target)
        tables = write_comparison(scored, config.columns, target, title, config.against)
    for table in tables:
        print(write_markdown(table))
    log.info(f"report {target / 'compare.html'}")


def make_target(target: str | None) -> Path:
    """Return the folder of a comparison, a new one of this moment where none is asked for.

    Raises:
        FileExistsError: The folder is not empty.
    """
    if target is None:
        return make_free_folder(Path(f"outputs/compare/{datetime.now():%Y-%m-%d_%H-%M-%S}"))
    if Path(target).exists() and any(Path(target).iterdir()):
        raise FileExistsError(f"target must be a new or empty folder, got {target}")
    return Path(target)
