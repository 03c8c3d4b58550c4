"""Generators, latent spaces and paths from files and folders. A file can only name classes of latent_lab."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from latent_lab.checkpoints.locate import locate
from latent_lab.checkpoints.rebuild import build_on_meta, rebuild
from latent_lab.checkpoints.weights import read_weights
from latent_lab.configuration.options import OPTIONS
from latent_lab.configuration.plain_values import require_plain
from latent_lab.configuration.schema import GAN
from latent_lab.configuration.validate import check_keys
from latent_lab.gans.base import Generator
from latent_lab.gans.space import LatentSpace
from latent_lab.installation import choices, read_choice
from latent_lab.paths.base import Paths
from latent_lab.runs import Run, find_class, hash_weights


def choose_device(name: str) -> torch.device:
    """Return the device of a name; ``auto`` is cuda if there is one, else the CPU."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def build_generator(gan: Mapping[str, Any], family: type[Generator], seed: int = 0) -> Generator:
    """Build the generator of a ``gan`` configuration and load its weights; it is frozen.

    Sizes that the file knows win over the configuration's.

    Arguments:
        gan: The configuration: ``generator`` (arguments), ``weights`` (a file, None or ``random``), ``source``, and
            perhaps ``size`` (``full`` or ``tiny``) with the arguments of ``tiny``.
        family: The generator's class.
        seed: Seed of random weights.
    """
    options = {key: value for key, value in gan["generator"].items() if key != "_target_"}
    size = gan.get("size", "full")
    if size not in ("full", "tiny") or (size == "tiny" and not gan.get("tiny")):
        raise ValueError(f"gan.size must be 'full', or 'tiny' where gan={gan['name']} has such a size, got {size!r}")
    if size == "tiny":
        options |= gan["tiny"]
    if gan["weights"] == "random":
        build_on_meta(lambda: family(**options), "gan.generator")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return family(**options).eval().requires_grad_(False)
    file = locate(gan["weights"], gan["source"])
    found = read_weights(file)
    if found.family not in (None, f"{family.__module__}.{family.__qualname__}"):
        raise ValueError(
            f"gan.weights must hold a {family.__name__} for gan={gan['name']}, "
            f"got a {found.family.split('.')[-1]} in {file}"
        )
    return rebuild(lambda: family(**(options | dict(found.config))), found.tensors, file)


def read_generator(file: str | Path) -> Generator:
    """Read the generator in a checkpoint of any known format; it is frozen. Only classes of latent_lab are built.

    Raises:
        ValueError: The file is damaged, or does not say which generator it holds.
    """
    found = read_weights(file)
    if found.family is None:
        raise ValueError(f"{file} does not say which generator it is; give it as gan.weights of a configuration")
    family = find_class(found.family, "gans", Generator)
    return rebuild(lambda: family(**found.config), found.tensors, file)


def load_generator(source: str | Path, **options: object) -> Generator:
    """Load a pretrained generator, frozen.

    Arguments:
        source: A checkpoint in any known format, or the name of a configuration (``gan=`` of the command line).
        options: Keys of that configuration that replace its values, e.g. ``weights=<file>`` or ``weights="random"``.

    Raises:
        ValueError: The source is neither, or the configuration has no such option.
    """
    if Path(source).is_file():
        return read_generator(source)
    gan = read_choice("gan", str(source))
    if gan is None or str(source) not in choices("gan"):
        raise ValueError(f"source must be a file or one of {choices('gan')}, got {str(source)!r}")
    known = {key.rstrip("?") for key in GAN}
    unknown = sorted(options.keys() - known)
    if unknown:
        raise ValueError(f"options must be among {sorted(known)}, got {unknown}")
    gan = {**gan, **options}
    return build_generator(gan, find_class(gan["generator"]["_target_"], "gans", Generator))


def make_space(generator: Generator, gan: Mapping[str, Any]) -> LatentSpace:
    """Make the latent space that a ``gan`` configuration asks for."""
    options = {name: gan[name] for name in ("truncation_layers", "noise") if name in gan}
    return generator.space(gan["space"], truncation=gan["truncation"], **options)


def read_run_config(run: Run) -> dict[str, Any]:
    """Return a run's configuration after checking the parts that are built from it: generator, data set and seed.

    The rest may be of an older version.

    Raises:
        ValueError: A part has another form.
    """
    config = run.read_config()
    parts = {name: config[name] for name in ("gan", "dataset", "seed") if name in config}
    try:
        require_plain(parts, "train")
        check_keys(parts, make_optional({name: OPTIONS["train"][name] for name in parts}), "", "train")
    except ValueError as error:
        raise ValueError(f"{run.folder / 'config.yaml'}: {error}") from None
    return config


def make_optional(options: Mapping[str, object]) -> dict[str, object]:
    """Return the options with every key optional, for configurations of older versions that lack some."""
    return {
        f"{name.rstrip('?')}?": make_optional(kind) if isinstance(kind, dict) else kind
        for name, kind in options.items()
    }


def load_space(gan: Mapping[str, Any], seed: int) -> LatentSpace:
    """Load the latent space of a configuration that was read from a run's folder. Only generators of latent_lab are
    built."""
    generator = build_generator(gan, find_class(gan["generator"]["_target_"], "gans", Generator), seed)
    return make_space(generator, gan)


def load_space_and_paths(run: Run) -> tuple[LatentSpace, Paths, dict[str, Any]]:
    """Load a run's latent space, paths and metadata. Nothing in the folder is executed.

    Raises:
        ValueError: The run's paths were found on other weights, or in another space.
    """
    paths, metadata = run.load_paths()
    config = read_run_config(run)
    space = load_space(config["gan"], config["seed"])
    found = hash_weights(space.generator)
    if found != metadata["generator"]:
        raise ValueError(
            f"{run.folder} was made on a generator with hash {metadata['generator'][:12]}, "
            f"but gan.weights has {found[:12]}; give weights=<file>"
        )
    require_match(paths, metadata["space"], space.generator, run)
    if metadata["space"] != space.name:
        raise ValueError(
            f"gan.space of {run.folder / 'config.yaml'} must be {metadata['space']!r}, as its paths say, "
            f"got {space.name!r}"
        )
    return space, paths, metadata


def require_match(paths: Paths, found_in: str, generator: Generator, run: Run) -> None:
    """Check that the run's paths fit the space that they name: the size of its latents, and the rows of w+ that they
    edit.

    Raises:
        ValueError: They do not.
    """
    file = run.folder / "paths.safetensors"
    if found_in not in generator.spaces:
        raise ValueError(f"{file} must hold paths of one of the spaces {generator.spaces}, got {found_in[:40]!r}")
    shape, layers = generator.latent_shape(found_in), getattr(paths, "layers", None)
    rows = range(shape[0] if len(shape) == 2 else 0)
    if paths.dim != shape[-1] or (layers is not None and not all(type(row) is int and row in rows for row in layers)):
        raise ValueError(
            f"{file} must hold paths of space {found_in} with latents of {shape}, "
            f"got latents of size {paths.dim}" + ("" if layers is None else f" and layers {str(layers)[:60]}")
        )


def find_runs(runs: str | Sequence[str] | None, weights: str | None = None) -> list[Run]:
    """Open the runs of a folder, a list of folders or a pattern.

    Arguments:
        runs: The folders.
        weights: The file of the generator's weights, if it is not where the runs say.

    Raises:
        FileNotFoundError: Nothing matches.
    """
    patterns = [runs] if isinstance(runs, str) else list(runs or [])
    folders = [
        folder
        for pattern in patterns
        for folder in ([pattern] if os.path.isdir(pattern) else sorted(glob.glob(pattern)) or [pattern])
    ]
    if not folders:
        raise ValueError("run must be a run's folder, a list of folders or a pattern, got nothing")
    found = [
        Run.open(folder, weights) for folder in folders if (Path(folder) / "config.yaml").is_file() or len(folders) == 1
    ]
    if not found:
        raise FileNotFoundError(
            f"run must match folders of runs (with config.yaml), got {patterns}, which match {folders[:3]}"
        )
    return found
