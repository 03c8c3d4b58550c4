"""The correction of an edited photograph, which gives back details that its inversion lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from latent_lab.devices import put_on
from latent_lab.editing.sources import InvertedPictures, Source
from latent_lab.installation import choices
from latent_lab.workflows.build import compose_config


def build_correction(
    correction: str | Mapping[str, object] | None, source: Source, made: DictConfig, device: torch.device
) -> Callable | None:
    """Return a function that corrects edited codes, from an inverter that does so (HFGI, HFGI-SF). It takes the space,
    the codes, the photograph and the edited codes.

    Arguments:
        correction: A configuration of ``inverter``, or its name as ``inverter`` with options of it beside, e.g.
            ``weights``; None for no correction. Of the inverter that the source was inverted with, options are the same
            unless they are given, also where it is a part of the correction, as HFGI is of HFGI-SF.
        source: The pictures that are edited.
        made: The run's configuration, whose generator and data set the inverter is built for.
        device: The device of the images.
    """
    if correction is None:
        return None
    options = {"inverter": correction} if isinstance(correction, str) else dict(correction)
    name = options.pop("inverter", None)
    if not isinstance(source, InvertedPictures):
        raise ValueError(f"correction must be null where source is seeds, whose images lost nothing, got {name!r}")
    if name not in choices("inverter"):
        raise ValueError(
            f"correction must be null or an inverter that corrects edits, of {choices('inverter')}, got {name!r}"
        )
    config = OmegaConf.create(OmegaConf.to_container(compose_config("invert", [f"inverter={name}"])))
    node = OmegaConf.merge(config, {"gan": made.gan, "dataset": made.dataset}).inverter
    own = OmegaConf.create(source.inversions.run.read_config())["inverter"]
    if own.get("_target_") == node.get("_target_"):
        node = own
    for key, part in list(node.items()):
        if OmegaConf.is_dict(part) and part.get("_target_") == own.get("_target_"):
            node[key] = own
    unknown = sorted(options.keys() - node.keys())
    if unknown:
        raise ValueError(
            f"correction takes of inverter={name} the options {sorted(set(node.keys()) - {'_target_'})}, got {unknown}"
        )
    inverter = instantiate(OmegaConf.merge(node, options))
    if not hasattr(inverter, "correct"):
        raise ValueError(
            f"correction must be an inverter that corrects edited codes, such as hfgi or hfgi_sf, got {name!r}"
        )
    put_on(device, inverter)
    return inverter.correct
