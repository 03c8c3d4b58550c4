"""The Python interface of latent_lab: what the commands do, without configurations.

Example:
    >>> from latent_lab.api import discover, edit, load_generator
    >>> import torch
    >>> space = load_generator("sngan_mnist").space("z")
    >>> paths = discover("sefa", space, num_paths=4)
    >>> codes = space.sample(2, torch.Generator().manual_seed(0))
    >>> space.decode(edit(space, paths, codes, {0: 3.0, 2: -1.5})).shape
    torch.Size([2, 1, 32, 32])
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latent_lab.attributes.base import Attributes, select_attributes
from latent_lab.components import build, build_component, load_judges, load_metrics, load_predictors, load_protocol
from latent_lab.devices import put_on
from latent_lab.evaluation import evaluate as evaluation
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.subject import Subject
from latent_lab.gans.space import Codes, LatentSpace
from latent_lab.inversion.base import Inverted, Inverter
from latent_lab.loading import load_generator, load_space_and_paths, read_run_config
from latent_lab.methods.base import Context, Method, fit_on_device
from latent_lab.naming import resolve_edit
from latent_lab.ops.streams import INITIAL, stream
from latent_lab.paths.base import Paths
from latent_lab.paths.oracle_local import OracleLocalPaths
from latent_lab.runs import Run

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from latent_lab.evaluation.score import Evaluation
    from latent_lab.evaluation.validation import Validation
    from latent_lab.metrics.base import Measurement

__all__ = [
    "Protocol",
    "Subject",
    "discover",
    "edit",
    "evaluate",
    "invert",
    "load_generator",
    "load_judges",
    "load_metrics",
    "load_predictors",
    "load_protocol",
    "load_run",
]


def load_run(folder: str | Path, weights: str | Path | None = None) -> tuple[LatentSpace, Paths, dict]:
    """Return the latent space, the paths and the metadata of a run. Nothing that the folder holds is executed.

    Arguments:
        folder: The run's folder.
        weights: The file of the generator's weights where the run's own is elsewhere; its hash must be the run's.

    Raises:
        ValueError: The folder is damaged, asks for what a folder may not, or is of another generator.
    """
    run = Run.open(folder, weights)
    space, paths, metadata = load_space_and_paths(run)
    if isinstance(paths, OracleLocalPaths):
        node = read_run_config(run)["dataset"].get("attributes")
        paths.bind(build(node).eval() if node else None)
    return space, paths, metadata


def build_trainer(steps: int) -> pl.Trainer:
    """Return a trainer that logs and saves nothing, on a GPU if there is one."""
    import pytorch_lightning as pl  # here, for it takes seconds

    from latent_lab.training.checkpointing import CheckedStates

    # what Lightning says of devices, evaluation mode and its own products concerns no caller
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    return pl.Trainer(
        max_steps=steps,
        max_epochs=-1,
        logger=False,
        plugins=[CheckedStates()],
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        use_distributed_sampler=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
    )


def discover(
    method: Method | str,
    space: LatentSpace,
    *,
    steps: int = 600,
    seed: int = 0,
    predictor: Attributes | None = None,
    trainer: pl.Trainer | None = None,
    measure: Callable[[Sequence[str] | None], Attributes | None] | None = None,
    validation: Callable[[LatentSpace, Paths], Validation] | None = None,
    checkpoint: Path | None = None,
    findings: dict | None = None,
    **options: object,
) -> Paths:
    """Return the paths that a method discovers in a latent space, on the CPU and in eval mode.

    Arguments:
        method: A method, or its name as on the command line, e.g. ``curvilinear``.
        space: The latent space.
        steps: Steps of a method that trains.
        seed: Seed of all that is drawn.
        predictor: Measures the attributes that supervised methods are guided by.
        trainer: Trains methods that train; by default one for ``steps`` steps that logs nothing.
        measure: Makes a predictor of the attributes of these names; by default from ``predictor``.
        validation: Makes what measures the paths of a training in its validation; by default nothing.
        checkpoint: A training state of the same method to continue from.
        findings: Takes what the method measured while it fitted, e.g. the names of its paths.
        options: Options of a method that was given by its name, e.g. ``num_paths=8``; see its yaml.

    Raises:
        NotApplicable: The method does not work in this space, or without attributes.
        ValueError: There is no such method or option.
    """
    if isinstance(method, str):
        method = build_component("method", method, **options)
    elif options:
        raise ValueError(f"options go with a method's name, got {sorted(options)} with a {type(method).__name__}")
    context = Context(
        trainer=build_trainer(steps) if trainer is None else trainer,
        seed=seed,
        rng=stream(seed, 0, 0, INITIAL),
        validation=validation,
        attributes=predictor,
        checkpoint=checkpoint,
        measures=measure or (lambda names: select_attributes(predictor, names)),
        findings={} if findings is None else findings,
    )
    with warnings.catch_warnings():  # of workers and of frozen networks, which are meant to be as they are
        warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
        return fit_on_device(method, space, context)


def evaluate(
    subject: Subject,
    protocol: Protocol,
    folder: Path | None = None,
    *,
    metrics: Mapping[str, Measurement] | None = None,
    made_for: Sequence[str] = (),
) -> Evaluation:
    """Return the scores of paths.

    Arguments:
        subject: The paths, and what measures the images that they lead to.
        protocol: Rules of the evaluation: how many paths are scored, how far they go, and on which latents.
        folder: A run's folder, where what was observed is kept until the scores are there; None keeps nothing.
        metrics: Metrics by name; by default those of every evaluation, see :func:`load_metrics`.
        made_for: Attribute or other aim that the method made each path for, in their order; empty where the method was
            told nothing.
    """
    chosen = load_metrics() if metrics is None else metrics
    return evaluation.evaluate(subject, protocol, folder, metrics=chosen, made_for=made_for)


def invert(
    images: Tensor, space: LatentSpace, inverter: Inverter | str = "i2s", *, seed: int = 0, **options: object
) -> Inverted:
    """Return the codes whose images are as near to the given ones as the inverter finds.

    Arguments:
        images: Images with shape :math:`(N, C, H, W)` in [-1, 1], of the generator's resolution and channels.
        space: The space of the codes.
        inverter: An inverter, or its name as on the command line, e.g. ``projector``.
        seed: Seed of what each image's search draws.
        options: Options of an inverter that was given by its name, e.g. ``steps=200``; see its yaml.
    """
    if isinstance(inverter, str):
        inverter = build_component("inverter", inverter, **options)
    elif options:
        raise ValueError(f"options go with an inverter's name, got {sorted(options)} with a {type(inverter).__name__}")
    expected = (space.generator.channels, space.generator.resolution, space.generator.resolution)
    if images.ndim != 4 or images.shape[1:] != expected:
        raise ValueError(f"images must be (N, {', '.join(map(str, expected))}), got {tuple(images.shape)}")
    rngs = [stream(seed, 0, n, INITIAL) for n in range(len(images))]
    put_on(space.device, inverter)
    return inverter.invert(space, images.to(space.device), rngs)


@torch.no_grad()
def edit(
    space: LatentSpace, paths: Paths, codes: Codes, edits: Mapping[int | str, float], run: str | Path | None = None
) -> Codes:
    """Return the codes after edits one after the other, in the order of the mapping.

    Arguments:
        space: The space of the codes.
        paths: Paths in this space.
        codes: Codes at which the edits start, N of them.
        edits: Signed amounts by the path's number; with ``run`` also by a name that its evaluation gave, then in
            standard deviations of the attribute.
        run: The folder of the run that the paths are of.
    """
    folder = None if run is None else Run.open(run)
    start = paths.anchor(space, codes)
    latents = start.latents
    for name, strength in edits.items():
        k, amount = named_edit(folder, paths, name, strength)
        num = len(latents)
        path = torch.full((num,), k, device=latents.device)
        latents = paths.shift(latents, path, torch.full((num,), amount, device=latents.device), start.given)
    return codes.moved(latents)


def named_edit(run: Run | None, paths: Paths, name: int | str, strength: float) -> tuple[int, float]:
    """Return the path and the amount of an edit; a name needs the run that calibrates it."""
    if isinstance(name, str) and run is not None:
        found = resolve_edit(run, paths, name, strength)
        return found.path, found.amount
    if isinstance(name, bool) or not isinstance(name, int) or not 0 <= name < paths.num_paths:
        raise ValueError(
            f"edits must be by numbers from 0 to {paths.num_paths - 1}, or by names together with run=<folder>, "
            f"got {name!r}"
        )
    return name, strength
