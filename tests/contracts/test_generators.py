"""What every generator must do. Generators are found by their yamls in ``conf/gan``, and every class in
``latent_lab.gans`` must have one: a new one is tested without an edit here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
import torch

from latent_lab import gans as package
from latent_lab import load_generator
from latent_lab.checkpoints import native
from latent_lab.configuration.signatures import locate_class
from latent_lab.gans.base import Generator
from latent_lab.gans.proggan import ProgGAN
from latent_lab.gans.styled import StyleGenerator
from latent_lab.installation import choices, read_choice
from latent_lab.ops.streams import stream

LINEAR = (StyleGenerator, ProgGAN)  # without a last tanh: their training alone keeps images about in [-1, 1]
LARGEST = 3_000_000  # parameters of a generator that tests build at its full size


def families() -> set[type[Generator]]:
    found = set()
    for module in pkgutil.iter_modules(package.__path__):
        members = vars(importlib.import_module(f"{package.__name__}.{module.name}")).values()
        found |= {one for one in members if inspect.isclass(one) and issubclass(one, Generator)}
    return {family for family in found if not inspect.isabstract(family)}


def build(name: str) -> Generator:
    """The small untrained generator of a yaml."""
    small = {"size": "tiny"} if read_choice("gan", name).get("tiny") else {}
    generator = load_generator(name, weights="random", **small)
    parameters = sum(value.numel() for value in generator.parameters())
    assert parameters < LARGEST, f"gan={name} needs tiny: arguments of a small generator for tests, got {parameters}"
    return generator


def one_of_each_class() -> list[str]:
    """The first yaml of each class: others are the same code at other sizes."""
    found: dict[str, str] = {}
    for name in choices("gan"):
        found.setdefault(read_choice("gan", name)["generator"]["_target_"], name)
    return sorted(found.values())


def test_every_class_has_a_yaml():
    named = {locate_class(read_choice("gan", name)["generator"]["_target_"]) for name in choices("gan")}
    assert families() == named


@pytest.mark.parametrize("name", choices("gan"))
def test_every_yaml_builds_its_default_space(name):
    space = build(name).space(read_choice("gan", name)["space"])
    images = space.decode(space.sample(2, stream(0, 0, 0)))
    assert images.shape == (2, space.generator.channels, space.generator.resolution, space.generator.resolution)
    assert images.isfinite().all() and images.dtype == torch.float32
    assert isinstance(space.generator, LINEAR) or images.abs().max() <= 1, "images must lie in [-1, 1]"


@pytest.mark.parametrize("name", one_of_each_class())
class TestGenerators:
    def test_it_is_frozen(self, name):
        generator = build(name)
        assert not generator.training and not any(value.requires_grad for value in generator.parameters())

    def test_codes_depend_on_the_random_numbers_alone(self, name):
        for space in map(build(name).space, build(name).spaces):
            one, other = (space.sample(3, stream(0, 0, 1)) for _ in range(2))
            assert len(one) == 3 and one.latents.shape == (3, *space.shape)
            assert torch.equal(one.latents, other.latents) and one.given.keys() == other.given.keys()
            assert all(len(value) == 3 and torch.equal(value, other.given[key]) for key, value in one.given.items())

    def test_an_image_does_not_depend_on_its_batch(self, name):
        for space in map(build(name).space, build(name).spaces):
            codes = space.sample(3, stream(0, 0, 2))
            together = space.decode(codes)
            alone = torch.cat([space.decode(codes.select(slice(i, i + 1))) for i in range(3)])
            torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)

    def test_latents_have_gradients(self, name):
        for space in map(build(name).space, build(name).spaces):
            codes = space.sample(2, stream(0, 0, 3))
            latents = codes.latents.clone().requires_grad_()
            space.decode(codes.moved(latents)).square().sum().backward()
            assert latents.grad.isfinite().all() and latents.grad.any()

    def test_a_file_rebuilds_it(self, name, tmp_path):
        generator = build(name)
        file = tmp_path / "generator.safetensors"
        file.write_bytes(native.to_bytes(generator.state_dict(), generator.description()))
        again, space = load_generator(file), generator.space()
        codes = space.sample(2, stream(0, 0, 4))
        assert torch.equal(again.space().decode(codes), space.decode(codes))
