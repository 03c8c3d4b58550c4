"""The content that a file of an inversion may have: anybody may have written it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from latent_lab.gans.base import Generator
from latent_lab.gans.styled import StyleGenerator
from latent_lab.plain import has_form

KNOWN = {"space": str, "generator": str, "scores": {str: float}}
NUMBERS = ("label", "noise", "truncation", "truncation_layers")  # of given, one for each image


def require_picture(tensors: Mapping[str, Tensor], about: Mapping[str, object], file: Path) -> None:
    """Check that tensors and values are those that an inversion writes of a picture, as far as that can be seen without
    its generator.

    Arguments:
        tensors, about: The content of the file.
        file: The file, for the error.

    Raises:
        ValueError: They are not.
    """
    if not has_form(about, KNOWN):
        raise ValueError(f"{file} must name its space and generator and hold scores, each a finite number")
    latents, target = tensors["latents"], tensors.get("target")
    if latents.dtype not in (torch.float32, torch.float64) or latents.ndim not in (1, 2):
        raise ValueError(f"{file} must hold latents of real numbers, got {latents.dtype} of {tuple(latents.shape)}")
    if target is None or target.dtype != torch.uint8 or target.ndim != 3:
        given = "none" if target is None else f"{target.dtype} of {tuple(target.shape)}"
        raise ValueError(f"{file} must hold its picture as target, uint8 with shape (C, H, W), got {given}")
    for name, value in tensors.items():
        part = name.partition(".")[0]
        if name not in ("latents", "target") and part not in ("given", "tuned", "curves"):
            raise ValueError(f"{file} must hold latents, target, given.*, tuned.* and curves.*, got {name[:60]!r}")
        whole = part == "given" and value.dtype == torch.int64
        if name != "target" and not whole and not value.dtype.is_floating_point:
            raise ValueError(f"{file} must hold {name[:60]} as real numbers, got {value.dtype}")
        if part not in ("target", "curves") and not value.isfinite().all():
            raise ValueError(f"{file} must hold {name[:60]} as finite numbers")


def require_generator(
    tensors: Mapping[str, Tensor], about: Mapping[str, object], generator: Generator, file: Path
) -> None:
    """Check that the codes, the picture and the parameters of a file are of a generator.

    Arguments:
        tensors, about: The content of the file, which :func:`require_picture` has accepted.
        generator: The generator.
        file: The file, for the error.

    Raises:
        ValueError: They are of another generator.
    """
    if about["space"] not in generator.spaces:
        raise ValueError(f"{file} must be of one of the spaces {generator.spaces}, got {about['space'][:40]!r}")
    shapes = {
        "latents": generator.latent_shape(about["space"]),
        "target": (generator.channels, generator.resolution, generator.resolution),
    }
    shapes |= {f"given.{name}": shape for name, shape in given_shapes(generator).items()}
    shapes |= {f"tuned.{name}": tuple(value.shape) for name, value in generator.named_parameters()}
    for name, value in tensors.items():
        if name.startswith("curves."):
            continue
        if name not in shapes:
            raise ValueError(f"{file} holds {name[:60]!r}, which a {type(generator).__name__} does not have")
        if tuple(value.shape) != tuple(shapes[name]):
            raise ValueError(f"{file} must hold {name} with shape {tuple(shapes[name])}, got {tuple(value.shape)}")
    if about["space"] == "z":
        needed = {f"given.{name}" for name in generator.sample("z", 1, torch.Generator().manual_seed(0)).given}
        if missing := sorted(needed - tensors.keys()):
            raise ValueError(f"{file} must hold {missing[0]}, which latents of z go with")
    label, classes = tensors.get("given.label"), generator.classes
    if label is not None and (label.dtype != torch.int64 or not 0 <= label.item() < classes):
        raise ValueError(f"{file} must hold given.label from 0 to {classes - 1}, got {label.item()}")


def given_shapes(generator: Generator) -> dict[str, tuple[int, ...]]:
    """Return the shapes that tensors in the ``given`` of one image's codes may have, by name."""
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(NUMBERS, ())
    shapes |= {f"noise.{i}": (1, *stored.shape) for i, stored in enumerate(generator.noise_maps())}
    if isinstance(generator, StyleGenerator):
        shapes |= {"z": (generator.latent_dim,), "transform": (3, 3)}
        shapes |= {
            f"{kind}.{row}": shape for row, shape in generator.feature_maps().items() for kind in ("scale", "shift")
        }
    return shapes
