"""Methods, inverters and predictors from the configurations of this installation, without Hydra."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import fields

from omegaconf import OmegaConf

from latent_lab.attributes.base import Attributes, Predictor
from latent_lab.configuration.nearest import find_nearest
from latent_lab.configuration.signatures import locate_class
from latent_lab.evaluation.protocol import Protocol
from latent_lab.installation import choices, read_choice
from latent_lab.metrics.base import Measurement

EDITS = {"num_paths": 16, "amounts": [0.5, 6.0], "length": 6.0, "feature": None, "contrast": 0.0, "pool": 256}
AROUND = {  # what configurations of components refer to, where no generator's and no data set's configuration says it
    "gan": {"edits": EDITS},
    "dataset": {"targets": None, "identity": None, "features": None, "name": "none"},
}


def read_component(group: str, name: str, around: Mapping, **options) -> dict:
    """Return a configuration as plain values, with its references resolved.

    Arguments:
        group: The group of configurations, e.g. ``method``.
        name: A choice of it, e.g. ``sefa``.
        around: Values that it may refer to: ``gan`` (with ``edits``), ``dataset``, ``seed``.
        options: Values that replace those of the configuration; mappings are merged.

    Raises:
        ValueError: There is no such choice, or no such option.
    """
    node = read_choice(group, name)
    if node is None:
        raise ValueError(f"{group} must be one of {choices(group)}, got {name!r}")
    unknown = sorted(options.keys() - node.keys())
    if unknown:
        raise ValueError(
            f"{group}={name} has no option {unknown[0]!r}; nearest: "
            f"{', '.join(find_nearest(unknown[0], node.keys() - {'_target_'}))}"
        )
    parts = {part: read_choice(part, choice) for part, choice in (("flow", "coupling"), ("reconstructor", "lenet"))}
    whole = OmegaConf.create({"seed": 0, **parts, **around, group: node})
    whole[group] = OmegaConf.merge(whole[group], options)
    return OmegaConf.to_container(whole, resolve=True)[group]


def build(node: object, **given) -> object:
    """Return the object of a configuration: each mapping with ``_target_`` becomes an instance of that class.

    Arguments:
        node: Plain values; ``_partial_: true`` gives a function of the remaining arguments.
        given: Arguments for the outermost class beside those of the configuration.

    Raises:
        ValueError: A ``_target_`` names no class.
    """
    if isinstance(node, Mapping):
        parts = {key: build(value) for key, value in node.items()}
        if "_target_" not in parts:
            return parts
        target, partial = parts.pop("_target_"), parts.pop("_partial_", False)
        family = locate_class(target)
        if family is None:
            raise ValueError(f"_target_ must name a class, got {target!r}")
        return functools.partial(family, **parts, **given) if partial else family(**parts, **given)
    return [build(value) for value in node] if isinstance(node, list) else node


def build_component(group: str, name: str, around: Mapping | None = None, **options) -> object:
    """Return the object that a configuration describes, see :func:`read_component`.

    >>> build_component("method", "sefa", num_paths=4).num_paths
    4
    """
    return build(read_component(group, name, AROUND | dict(around or {}), **options))


def load_protocol(name: str = "fast", dataset: str | None = None, **options) -> Protocol:
    """Return the protocol of an evaluation by its name as on the command line.

    >>> load_protocol("fast", "mnist", num_latents=64).targets
    ['width', 'height', 'slant', 'thickness']

    Arguments:
        name: ``fast``, ``study``, ``full`` or another of ``conf/evaluation``.
        dataset: The data set whose targets scores are means over; without one they are all attributes.
        options: Values that replace those of the configuration.
    """
    around = AROUND if dataset is None else AROUND | {"dataset": read_component("dataset", dataset, AROUND)}
    values = read_component("evaluation", name, around, **options)
    return Protocol(**{field.name: values[field.name] for field in fields(Protocol)})


def load_metrics(*names: str) -> dict[str, Measurement]:
    """Return metrics by their names as on the command line; without a name, those that every evaluation takes.

    >>> sorted(load_metrics("side_effects", "commutativity"))
    ['commutativity', 'side_effects']
    """
    if not names:
        return build(read_component("evaluation", "fast", AROUND)["metrics"])
    return {name: metric for one in names for name, metric in build_component("metric", one).items()}


def load_predictors(dataset: str) -> tuple[Attributes | None, Predictor | None]:
    """Return what measures the images of a data set: its attributes and its identity; None for what it has not.

    >>> attributes, identity = load_predictors("mnist")
    >>> attributes.names[:3]
    ('ink', 'width', 'height')
    """
    node = read_component("dataset", dataset, AROUND)
    attributes, identity = (
        None if part is None else build(part).eval() for part in map(node.get, ("attributes", "identity"))
    )
    return attributes, identity


def load_judges(dataset: str) -> Attributes | None:
    """Return what measures a data set's targets by other means, which no method was trained on; None where nothing
    does."""
    node = read_component("dataset", dataset, AROUND).get("judges")
    return None if node is None else build(node).eval()
