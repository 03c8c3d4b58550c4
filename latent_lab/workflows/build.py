"""Objects from configurations: the generator, its latent space, the predictors of a data set."""

from __future__ import annotations

from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

from latent_lab import loading
from latent_lab.attributes.base import Attributes, select_attributes
from latent_lab.data.folder import FolderImages
from latent_lab.data.images import IdxImages
from latent_lab.evaluation.subject import Subject
from latent_lab.gans.base import Generator
from latent_lab.gans.space import LatentSpace
from latent_lab.installation import CONF
from latent_lab.metrics.base import Measurement
from latent_lab.paths.base import Paths
from latent_lab.workflows.search_path import find_extensions


def compose_config(command: str, overrides: list[str]) -> DictConfig:
    """Compose the configuration of a command, also from inside of another command."""
    running, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None
    find_extensions()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose(command, overrides)
    finally:
        GlobalHydra.instance().hydra = running


def build_generator(gan: DictConfig, seed: int, compile: bool = False) -> Generator:
    """Return the frozen generator of a ``gan`` configuration, whose class may be the user's own."""
    generator = loading.build_generator(OmegaConf.to_container(gan), get_class(gan.generator._target_), seed)
    if compile:
        generator.compile()
    return generator


def build_space(gan: DictConfig, seed: int, compile: bool = False) -> LatentSpace:
    """Return the latent space that a ``gan`` configuration asks for, on its frozen generator."""
    return loading.make_space(build_generator(gan, seed, compile), gan)


def preview_of(gan: DictConfig) -> DictConfig | None:
    """Return the configuration of the cheaper generator that is trained on; None if the named weights have none."""
    if not gan.get("preview") or gan.weights is not None:
        return None
    return OmegaConf.merge(gan, gan.preview)


def build_data(dataset: DictConfig, generator: Generator) -> IdxImages | FolderImages:
    """Return the images of a ``dataset`` configuration, as large as the generator's."""
    if not dataset.get("data"):
        raise ValueError(
            f"images=held_out needs a dataset with images, got dataset={dataset.name}; give images=<file or folder>"
        )
    return instantiate(dataset.data, resolution=generator.resolution)


def build_attributes(dataset: DictConfig, names: Sequence[str] | None) -> Attributes | None:
    """Return the predictor of a ``dataset`` configuration, narrowed to ``names`` if there are any; None if it has
    none."""
    if not dataset.get("attributes"):
        return None
    return select_attributes(instantiate(dataset.attributes), names)


def build_subject(
    space: LatentSpace, paths: Paths, attributes: Attributes | None, dataset: DictConfig, evaluation: DictConfig
) -> Subject:
    """Return paths with all that their ``dataset`` and an ``evaluation`` configuration have to measure them."""
    perceptual, absent = network_if_here(evaluation.perceptual)
    return Subject(
        space,
        paths,
        attributes,
        judges=instantiate(dataset.judges).eval() if dataset.get("judges") else None,
        identity=instantiate(dataset.identity) if dataset.get("identity") else None,
        perceptual=perceptual,
        data=instantiate(dataset.data) if dataset.get("data") else None,
        absent={"perceptual": absent} if absent else {},
    )


def build_metrics(evaluation: DictConfig) -> dict[str, Measurement]:
    """Return the metrics that an ``evaluation`` configuration chooses, by their names; one that is null is left out."""
    return {str(name): instantiate(node, _convert_="all") for name, node in evaluation.metrics.items() if node}


def network_if_here(node: DictConfig | None) -> tuple[nn.Module | None, str]:
    """Return a network of a configuration; or None, with the reason why its weights are not on this machine, which is
    empty where no network is named."""
    if not node:
        return None, ""
    try:
        return instantiate(node).eval(), ""
    except InstantiationException as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        return None, str(error.__cause__)
