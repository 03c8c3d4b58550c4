"""Everything is on the trainer's device before a method fits, and on the space's before an inverter searches.

``cpu:0`` computes as the CPU does, and is another device to what records here: no GPU is needed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from latent_lab import api, load_generator
from latent_lab.api import discover, invert, load_predictors
from latent_lab.configuration.signatures import locate_class
from latent_lab.evaluation.subject import Subject
from latent_lab.gans.space import LatentSpace
from latent_lab.installation import choices
from latent_lab.paths.linear import LinearPaths
from tests.contracts.test_inverters import NEEDS_AN_ENCODER, read_choice, small
from tests.contracts.test_methods import NEEDS_A_FILE, options_of

DEVICE = torch.device("cpu:0")


@pytest.fixture
def devices(monkeypatch) -> dict[int, str]:
    """The device that each network was moved to last, by its identity."""
    found: dict[int, str] = {}
    move = nn.Module.to

    def record(self: nn.Module, *arguments, **options) -> nn.Module:
        for module in self.modules():
            found[id(module)] = str(arguments[0] if arguments else options)
        return move(self, *arguments, **options)

    monkeypatch.setattr(nn.Module, "to", record)
    return found


def networks_of(part: object) -> list[nn.Module]:
    return [value for value in vars(part).values() if isinstance(value, nn.Module)]


@pytest.mark.parametrize("name", [name for name in choices("method") if name not in NEEDS_A_FILE])
def test_a_method_fits_with_everything_on_the_trainers_device(name, devices, monkeypatch):
    class Fits(Exception):
        pass

    def fit(self, space, context):
        assert all(devices.get(id(module)) == str(DEVICE) for module in [space, *networks_of(self)])
        attributes = context.require_attributes(None)
        assert devices[id(attributes)] == str(DEVICE)
        raise Fits

    family = locate_class(read_choice("method", name)["_target_"])
    monkeypatch.setattr(family, "fit", fit)
    trainer = api.build_trainer(2)
    trainer.strategy._root_device = DEVICE
    attributes, _ = load_predictors("mnist")
    with pytest.raises(Fits):
        discover(name, load_generator("sngan_mnist").space(), predictor=attributes, trainer=trainer, **options_of(name))


@pytest.mark.parametrize("name", [name for name in choices("inverter") if name not in NEEDS_AN_ENCODER])
def test_an_inverter_searches_where_its_space_is(name, devices, monkeypatch):
    class Searches(Exception):
        pass

    space = load_generator("stylegan2", weights="random", size="tiny").space("w+")
    monkeypatch.setattr(LatentSpace, "device", property(lambda self: DEVICE))

    def search(self, space, images, rngs, *others):
        assert all(devices.get(id(module)) == str(DEVICE) for module in networks_of(self))
        raise Searches

    family = locate_class(read_choice("inverter", name)["_target_"])
    monkeypatch.setattr(family, "invert", search)
    with pytest.raises(Searches):
        invert(torch.zeros(1, 3, 32, 32), space, name, **small(dict(read_choice("inverter", name))))


def test_a_subject_moves_with_all_that_measures_it(devices):
    attributes, identity = load_predictors("mnist")
    space = load_generator("sngan_mnist").space()
    subject = Subject(space, LinearPaths(64, 2), attributes, identity, perceptual=nn.Identity()).to(DEVICE)
    parts = (subject.space, subject.paths, subject.attributes, subject.identity, subject.perceptual)
    assert all(devices[id(part)] == str(DEVICE) for part in parts)
