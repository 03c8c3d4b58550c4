"""The Python face of latent_lab: a generator by name or file, a run by folder."""

from __future__ import annotations

from pathlib import Path

import yaml

from latent_lab.gans.base import Generator
from latent_lab.gans.space import LatentSpace
from latent_lab.paths.base import Paths
from latent_lab.runs import Run, own_class, weight_hash
from latent_lab.workflows.build import build_generator, read_generator, space_from_plain


def load_generator(source: str | Path, **options) -> Generator:
    """A pretrained generator, frozen.

    Arguments:
        source: A checkpoint in any known format, or the name of a configuration (``gan=`` of the command line).
        options: Keys of that configuration that replace its values, e.g. ``weights=<file>`` or ``weights="random"``.
    """
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from latent_lab.cli import CONF

    if Path(source).is_file():
        return read_generator(source)
    choices = sorted(file.stem for file in (CONF / "gan").glob("*.yaml"))
    if source not in choices:
        raise ValueError(f"source must be a file or one of {choices}, got {str(source)!r}")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"gan={source}"])
    gan = yaml.safe_load(OmegaConf.to_yaml(config.gan, resolve=True))
    unknown = sorted(options.keys() - gan.keys())
    if unknown:
        raise ValueError(f"options must be among {sorted(gan)}, got {unknown}")
    gan |= options
    return build_generator(gan, own_class(gan["generator"]["_target_"], "gans", Generator))


def load_run(folder: str | Path) -> tuple[LatentSpace, Paths, dict]:
    """The latent space, the paths and the metadata of a run. Nothing that the folder holds is executed."""
    run = Run.open(folder)
    paths, metadata = run.load_paths()
    config = run.config()
    space = space_from_plain(config["gan"], config["seed"])
    found = weight_hash(space.generator)
    if found != metadata["generator"]:
        raise ValueError(
            f"{run.folder} was made on a generator with hash {metadata['generator'][:12]}, but gan.weights has {found[:12]}; give back the weights that it names"
        )
    return space, paths, metadata
