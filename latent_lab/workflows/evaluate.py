"""``evaluate``: scores the paths of finished runs, from their folders alone."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import latent_lab.cpu_torchvision  # noqa: F401  (before torchmetrics)

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.progress import track
from torch import Tensor, nn

from latent_lab.attributes.base import Attributes
from latent_lab.checkpoints import native
from latent_lab.console import say
from latent_lab.evaluation.extras import add_extras
from latent_lab.evaluation.observe import observe
from latent_lab.evaluation.plan import make_plan
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.report import write_evaluation, write_report
from latent_lab.evaluation.score import Evaluation, summarise
from latent_lab.gans.space import LatentSpace
from latent_lab.loading import chosen_device, config_of, find_runs, space_and_paths
from latent_lab.names import require_file_name
from latent_lab.paths.base import Paths
from latent_lab.runs import Run, weight_hash
from latent_lab.workflows.build import build_attributes, network_if_here


def evaluate(
    run: Run,
    space: LatentSpace,
    paths: Paths,
    attributes: Attributes | None,
    identity: nn.Module | None,
    dataset: DictConfig,
    evaluation: DictConfig,
) -> Evaluation:
    """Scores paths with the protocol of an ``evaluation`` configuration.

    What was observed is kept in the run's folder until the scores are there, so that an interrupted evaluation
    continues.
    """
    options = OmegaConf.to_container(evaluation, resolve=True)
    perceptual, absent = network_if_here(evaluation.perceptual)
    perceptual = perceptual.to(space.device) if perceptual is not None else None
    del options["perceptual"]
    names, _ = options.pop("attributes"), options.pop("extras")
    protocol = Protocol(**options)
    own = run.read_json("findings.json").get("names", [])
    plan = make_plan(space, paths, attributes, protocol, own)
    key = hashlib.sha256(
        json.dumps([asdict(protocol), names, weight_hash(paths)], sort_keys=True).encode()
    ).hexdigest()[:12]
    place = f"evaluation/{require_file_name(protocol.name, 'evaluation.name')}-{key}"
    chunk = max(1, protocol.batch_size // protocol.pairs)
    parts: list[dict[str, Tensor]] = []
    with unfinished(run.folder / place):
        for first in track(range(0, protocol.num_latents, chunk), f"evaluation {protocol.name}", transient=True):
            num, file = min(chunk, protocol.num_latents - first), run.folder / place / f"{first:06d}.safetensors"
            if file.exists():
                parts.append(native.read(file)[0])
                require_alike(parts, num, file)
                continue
            parts.append(observe(space, paths, attributes, identity, perceptual, plan, protocol, first, num))
            run.write(f"{place}/{file.name}", native.to_bytes(parts[-1], {}))
            require_alike(parts, num, file)
        found = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        result = summarise(space, paths, attributes, plan, protocol, found)
        if perceptual is None:
            result.notes.append(
                f"perceptual distances were not measured: {absent or 'evaluation.perceptual names no network'}"
            )
        data = instantiate(dataset.data) if dataset.get("data") else None
        extras = instantiate(evaluation.extras, _convert_="all") if evaluation.extras else None
        add_extras(result, space, paths, attributes, identity, data, extras)
    return result


def require_alike(parts: Sequence[Mapping[str, Tensor]], num: int, file: Path) -> None:
    """An error where the last part is not of ``num`` latents, or does not hold what the first one does: another program
    wrote it."""
    form, last = (
        {name: (value.dtype, value.shape[1:]) for name, value in part.items()} for part in (parts[0], parts[-1])
    )
    if form != last or any(len(value) != num for value in parts[-1].values()):
        raise ValueError(
            f"{file.parent} holds parts of another evaluation, as {file.name}; delete that folder, and evaluate again"
        )


@contextlib.contextmanager
def unfinished(folder: Path) -> Iterator[None]:
    """Keeps the folder of an evaluation's parts until the last of the evaluations that use it has ended well."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            stream = open(folder / ".lock", "a")
            fcntl.flock(stream, fcntl.LOCK_SH)
            if os.path.samestat(os.fstat(stream.fileno()), os.stat(folder / ".lock")):
                break
            stream.close()
        except FileNotFoundError:  # another evaluation ended in between and took the folder with it
            continue
    with stream:
        yield
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # the other one needs the parts, and will remove them
        shutil.rmtree(folder)
        with contextlib.suppress(OSError):  # there are parts of another evaluation
            folder.parent.rmdir()


def evaluate_runs(config: DictConfig) -> None:
    """Evaluates each run, adds the scores to its ``metrics.json`` and makes its report again."""
    device = chosen_device(config.device)
    for run in find_runs(config.run, config.weights):
        made = OmegaConf.create(config_of(run))
        space, paths, _ = space_and_paths(run)
        options = OmegaConf.merge({"gan": made.gan, "dataset": made.dataset}, {"evaluation": config.evaluation})
        attributes = build_attributes(made.dataset, options.evaluation.attributes)
        identity = instantiate(made.dataset.identity) if made.dataset.get("identity") else None
        for part in (space, paths, attributes, identity):
            if part is not None:
                part.to(device)
        say(f"run {run.folder}")
        evaluation = evaluate(run, space, paths, attributes, identity, made.dataset, options.evaluation)
        write_evaluation(run, evaluation)
        loggers = [
            instantiate(part)(save_dir=str(run.folder), group=run.label(), job_type="evaluate")
            for name, part in (config.get("logger") or {}).items()
            if name == "wandb"
        ]
        say(f"report {write_report(run, evaluation, loggers)}")
