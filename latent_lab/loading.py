"""From files and folders to generators, latent spaces and paths. No class outside latent_lab is built for a file of
someone else's."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from latent_lab.checkpoints.locate import locate
from latent_lab.checkpoints.rebuild import build_on_meta, rebuild
from latent_lab.checkpoints.weights import read_weights
from latent_lab.configuration.options import OPTIONS
from latent_lab.configuration.schema import GAN
from latent_lab.configuration.validate import check_keys, require_plain
from latent_lab.gans.base import Generator
from latent_lab.gans.space import LatentSpace
from latent_lab.installation import choices, configuration
from latent_lab.paths.base import Paths
from latent_lab.runs import Run, own_class, weight_hash


def chosen_device(name: str) -> torch.device:
    """A device by its name; ``auto`` is cuda where there is one, else the CPU."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def build_generator(gan: Mapping, family: type[Generator], seed: int = 0) -> Generator:
    """The generator of a ``gan`` configuration with its weights, frozen.

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
    """The generator of a checkpoint in any known format, frozen. Only latent_lab's own classes are built."""
    found = read_weights(file)
    if found.family is None:
        raise ValueError(f"{file} does not say which generator it is; give it as gan.weights of a configuration")
    family = own_class(found.family, "gans", Generator)
    return rebuild(lambda: family(**found.config), found.tensors, file)


def load_generator(source: str | Path, **options) -> Generator:
    """A pretrained generator, frozen.

    Arguments:
        source: A checkpoint in any known format, or the name of a configuration (``gan=`` of the command line).
        options: Keys of that configuration that replace its values, e.g. ``weights=<file>`` or ``weights="random"``.
    """
    if Path(source).is_file():
        return read_generator(source)
    if str(source) not in choices("gan"):
        raise ValueError(f"source must be a file or one of {choices('gan')}, got {str(source)!r}")
    gan = configuration("gan", str(source))
    known = {key.rstrip("?") for key in GAN}
    unknown = sorted(options.keys() - known)
    if unknown:
        raise ValueError(f"options must be among {sorted(known)}, got {unknown}")
    gan = {**gan, **options}
    return build_generator(gan, own_class(gan["generator"]["_target_"], "gans", Generator))


def space_of(generator: Generator, gan: Mapping) -> LatentSpace:
    """The latent space that a ``gan`` configuration asks for."""
    options = {name: gan[name] for name in ("truncation_layers", "noise") if name in gan}
    return generator.space(gan["space"], truncation=gan["truncation"], **options)


def config_of(run: Run) -> dict:
    """A run's configuration, whose generator, data set and predictors can be built; what else it holds may be of an
    older version."""
    config = run.config()
    parts = {name: config[name] for name in ("gan", "dataset", "seed") if name in config}
    try:
        require_plain(parts, "train")
        check_keys(parts, optional({name: OPTIONS["train"][name] for name in parts}), "", "train")
    except ValueError as error:
        raise ValueError(f"{run.folder / 'config.yaml'}: {error}") from None
    return config


def optional(options: Mapping[str, object]) -> dict[str, object]:
    """The options, any of which may be missing: an older version may not have had it."""
    return {
        f"{name.rstrip('?')}?": optional(kind) if isinstance(kind, dict) else kind for name, kind in options.items()
    }


def space_from_plain(gan: Mapping, seed: int) -> LatentSpace:
    """The latent space of a configuration that was read from a run's folder: only latent_lab's own generators."""
    generator = build_generator(gan, own_class(gan["generator"]["_target_"], "gans", Generator), seed)
    return space_of(generator, gan)


def space_and_paths(run: Run) -> tuple[LatentSpace, Paths, dict]:
    """A run's latent space, paths and metadata. Nothing that the folder holds is executed, and another generator is
    refused."""
    paths, metadata = run.load_paths()
    config = config_of(run)
    space = space_from_plain(config["gan"], config["seed"])
    found = weight_hash(space.generator)
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
    """An error where the run's paths are not of the space that they say: its latents' size, and the rows of w+ that
    they edit."""
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
    """The runs of a folder, a list of folders, or a pattern; ``weights`` is the file of their generator where their own
    is elsewhere."""
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
