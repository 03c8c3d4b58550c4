"""What an edited photograph is given back of the details that its inversion lost."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from latent_lab.cli import CONF
from latent_lab.workflows.build import composed
from latent_lab.workflows.sources import InvertedPictures, Source


def build_correction(name: str | None, source: Source, made: DictConfig, device: torch.device) -> Callable | None:
    """The conditions of an inverter that has them (HFGI), as a function of the space, the codes, the photograph and the edited codes.

    Arguments:
        name: A configuration of ``inverter``; None for no correction.
        source: What is edited.
        made: The run's configuration, whose generator and data set the inverter is built for.
        device: Where images are.
    """
    if name is None:
        return None
    if not isinstance(source, InvertedPictures):
        raise ValueError(f"correction must be null where source is seeds, whose images lost nothing, got {name!r}")
    choices = sorted(file.stem for file in (CONF / "inverter").glob("*.yaml"))
    if name not in choices:
        raise ValueError(f"correction must be null or an inverter with conditions, of {choices}, got {name!r}")
    config = composed("invert", [f"inverter={name}"])
    OmegaConf.set_struct(config, False)
    inverter = instantiate(OmegaConf.merge(config, {"gan": made.gan, "dataset": made.dataset}).inverter)
    if not hasattr(inverter, "conditions"):
        raise ValueError(f"correction must be an inverter that gives conditions for edited codes, such as hfgi, got {name!r}")
    if isinstance(inverter, torch.nn.Module):
        inverter.to(device)
    return inverter.conditions
