"""What every inverter must do. Inverters are found by their yamls in ``conf/inverter``; those that need a trained
encoder are built from tiny ones in tests/inversion/."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
import torch

from latent_lab import inversion as package
from latent_lab import load_generator
from latent_lab.api import invert
from latent_lab.configuration.signatures import locate_class
from latent_lab.installation import choices, read_choice
from latent_lab.inversion.base import Inverter
from latent_lab.ops.streams import stream

NEEDS_AN_ENCODER = ("e4e", "hfgi", "hfgi_sf", "psp", "restyle")


def test_every_class_has_a_yaml():
    found = set()
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.ispkg:
            members = vars(importlib.import_module(module.name)).values()
            found |= {one for one in members if inspect.isclass(one) and issubclass(one, Inverter)}
    named = {locate_class(read_choice("inverter", name)["_target_"]) for name in choices("inverter")}
    assert {one for one in found if not inspect.isabstract(one)} == named


def small(node: object) -> object:
    """The options with two steps wherever there are steps."""
    if not isinstance(node, dict):
        return {}
    found = {key: small(value) for key, value in node.items() if isinstance(value, dict)}
    found |= {key: 2 for key in node if key in ("steps", "tune_steps")}
    found |= {key: 16 for key in node if key == "samples"}
    found |= {key: 1.0 for key in node if key == "pixels"}  # there is no network to compare images by
    return {key: value for key, value in found.items() if value != {}}


@pytest.mark.parametrize("name", [name for name in choices("inverter") if name not in NEEDS_AN_ENCODER])
def test_codes_of_an_image_do_not_depend_on_the_others(name):
    generator = load_generator("stylegan2", weights="random", size="tiny")
    preferred = locate_class(read_choice("inverter", name)["_target_"]).prefers
    space = generator.space(next(one for one in preferred if one in generator.spaces))
    images = space.decode(space.sample(2, stream(0, 0, 0))).clamp(-1, 1)
    found = invert(images, space, name, **small(dict(read_choice("inverter", name))))
    alone = invert(images[:1], space, name, **small(dict(read_choice("inverter", name))))
    assert len(found.codes) == 2 and found.codes.latents.isfinite().all()
    torch.testing.assert_close(found.codes.latents[:1], alone.codes.latents, rtol=1e-3, atol=1e-3)
