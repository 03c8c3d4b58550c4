"""Files of trained encoders: latent_lab's own safetensors, and the published files of pSp, e4e, ReStyle and HFGI, which
are read as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from latent_lab.checkpoints import native
from latent_lab.checkpoints.container import open_tree
from latent_lab.checkpoints.limits import FAULTS, quote, reason
from latent_lab.checkpoints.rebuild import rebuild
from latent_lab.inversion.encoders.style_encoder import StyleEncoder, published_sizes
from latent_lab.inversion.hfgi.distortion import (
    ConsultationEncoder,
    DistortionAlignment,
    published_alignment,
    published_consultation,
)

FORMAT = 1
PARTS = {
    "encoder": (StyleEncoder, published_sizes),
    "grid_align": (DistortionAlignment, published_alignment),
    "residue": (ConsultationEncoder, published_consultation),
}
EDITABLE = {
    "Encoder4Editing": True,
    "ProgressiveBackboneEncoder": True,
    "GradualStyleEncoder": False,
    "BackboneEncoder": False,
}


class EncoderFile(NamedTuple):
    """The content of an encoder's file.

    Arguments:
        networks: The frozen networks, by the names that published files give them: ``encoder``, ``grid_align``,
            ``residue``.
        mean: The latent that the encoder's offsets are added to, with shape :math:`(L, D)`.
        iterations: Number of passes that a refining encoder was trained for; None where the file does not say.
        own: Whether latent_lab wrote the file, for a generator whose mean style is ``mean``.
    """

    networks: dict[str, nn.Module]
    mean: Tensor
    iterations: int | None
    own: bool


def encoder_bytes(
    networks: Mapping[str, nn.Module], mean: Tensor, iterations: int, metadata: Mapping[str, object]
) -> bytes:
    """Serialise networks, by the names of :data:`PARTS`, with the arguments that rebuild them."""
    tensors = {
        f"{part}.{name}": value for part, network in networks.items() for name, value in network.state_dict().items()
    }
    described = {
        "format": FORMAT,
        "networks": {part: network.config for part, network in networks.items()},
        "iterations": iterations,
    }
    return native.to_bytes(tensors | {"latent_avg": mean}, described | metadata)


def read_encoder(
    weights: str | Path | None, train: str, editable: bool | None = None, otherwise: bool = False
) -> EncoderFile:
    """Read the networks of a file, frozen. Nothing in it is executed; only the classes of :data:`PARTS` are built.

    Arguments:
        weights: The file.
        train: The choice of ``encoder=`` that trains such a network, for the error where there is no file.
        editable: Whether rows are differences from the first (e4e); must agree with what a published file says. None
            takes the file's word.
        otherwise: The answer where neither ``editable`` nor the file has one.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no encoder, is damaged, or does not agree with ``editable``.
    """
    file = Path(weights).expanduser() if weights else None
    if file is None or not file.is_file():
        raise FileNotFoundError(
            f"weights must be a file of a trained encoder, got {weights!r}; "
            f"give the published one or train your own: python -m latent_lab.train_encoder encoder={train}"
        )
    try:
        return read_own(file) if native.matches(file) else read_published(file, editable, otherwise)
    except ValueError:
        raise
    except FAULTS as error:
        raise ValueError(f"{file} holds no encoder, or a damaged one ({reason(error)})") from None


def build_part(part: str, config: Mapping, tensors: Mapping[str, Tensor], file: Path) -> nn.Module:
    """Build a network of a file, after a check of its sizes, so that a damaged file allocates nothing."""
    return rebuild(lambda: PARTS[part][0](**config), tensors, file)


def split(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Group tensors by the part of :data:`PARTS` that they belong to. Other tensors are left out."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        if part in PARTS and rest:
            found.setdefault(part, {})[rest] = value
    return found


def read_own(file: Path) -> EncoderFile:
    """Read a file that latent_lab wrote.

    Raises:
        ValueError: The file has another format, or its numbers do not fit each other.
    """
    tensors, metadata = native.read(file)
    if metadata.get("format") != FORMAT or "networks" not in metadata:
        raise ValueError(f"{file} must hold an encoder of format {FORMAT}, got {quote(metadata.get('format'))}")
    if type(metadata.get("iterations")) is not int or not 0 <= metadata["iterations"] <= 1000:
        raise ValueError(f"{file} must say iterations from 0 to 1000, got {quote(metadata.get('iterations'))}")
    parts = split(tensors)
    networks = {
        part: build_part(part, config, parts.get(part, {}), file) for part, config in metadata["networks"].items()
    }
    mean, encoder = tensors["latent_avg"], networks.get("encoder")
    if mean.ndim != 2 or (encoder is not None and mean.shape != (encoder.rows, encoder.style_dim)):
        raise ValueError(
            f"{file} must hold a mean style of each row, got latent_avg of the shape {str(tuple(mean.shape))[:60]}"
        )
    return EncoderFile(networks, mean, metadata["iterations"], True)


def read_published(file: Path, editable: bool | None, otherwise: bool) -> EncoderFile:
    """Read a published file, with the gains of the equalised learning rate multiplied into the weights.

    Raises:
        ValueError: The file holds no encoder, or one of the other kind than ``editable`` says.
    """
    tree = open_tree(file)
    options, parts = tree.get("opts") or {}, split(tree["state_dict"])
    if not parts:
        raise ValueError(
            f"{file} must hold an encoder under state_dict, got "
            f"{[name[:40] for name in sorted(tree['state_dict'])[:3]]}"
        )
    said = EDITABLE.get(options.get("encoder_type")) if isinstance(options, Mapping) else None
    if None not in (said, editable) and said != editable:
        raise ValueError(
            f"{file} is an encoder of {options['encoder_type']}; choose inverter={'e4e' if said else 'psp'} or restyle"
        )
    networks = {}
    for part, tensors in parts.items():
        config = PARTS[part][1](tensors)
        if part == "encoder" and next(answer for answer in (editable, said, otherwise) if answer is not None):
            config["deltas"] = config["rows"] - 1
        if part != "grid_align":  # which has no equalised layers
            tensors = {name: value * gain(name, value) for name, value in tensors.items()}
        networks[part] = build_part(part, config, tensors, file)
    mean = tree["latent_avg"].float()
    if mean.ndim not in (1, 2) or ("encoder" in networks and mean.shape[-1] != networks["encoder"].style_dim):
        raise ValueError(
            f"{file} must hold a mean style or one of each row, got latent_avg of the shape "
            f"{str(tuple(mean.shape))[:60]}"
        )
    if mean.ndim == 1 and "encoder" in networks:
        mean = mean.expand(networks["encoder"].rows, -1).contiguous()
    return EncoderFile(networks, mean, None, False)


def gain(name: str, value: Tensor) -> float:
    """Return the factor of the equalised learning rate by which a stored weight is multiplied; 1 for tensors without
    one."""
    equalised = name.endswith("weight") and (name.startswith("condition_") or ".linear." in name)
    return 1 / math.sqrt(value[0].numel()) if equalised else 1.0
