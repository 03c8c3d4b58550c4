"""What every method must do. Methods are found by their yamls in ``conf/method``, and every class in
``latent_lab.methods`` must have one: a new one is tested without an edit here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
import torch

from latent_lab import load_generator
from latent_lab import methods as package
from latent_lab.api import discover, load_predictors
from latent_lab.attributes.base import Selection
from latent_lab.components import build_component
from latent_lab.configuration.signatures import locate_class
from latent_lab.errors import NotApplicable
from latent_lab.installation import choices, read_choice
from latent_lab.methods.base import Method
from latent_lab.ops.streams import stream
from latent_lab.paths.base import Paths

pytestmark = pytest.mark.slow


BUDGET = {  # options that say how long a method takes, wherever a yaml has them
    "num_paths": 3,
    "num_samples": 400,
    "samples": 8,
    "probe": 16,
    "batch_size": 4,
    "num_trajectories": 4,
    "iterations": 2,
    "pool": 4,
    "held_out": 2,
    "limit_latents": 4,
    "latents": 4,
    "validation_batches": 1,
}
NEEDS_A_FILE = ("imported",)  # its own test writes directions first: tests/methods/test_imported.py


def targets(name: str) -> type:
    return locate_class(read_choice("method", name)["_target_"])


def test_every_class_has_a_yaml():
    found = set()
    for module in pkgutil.iter_modules(package.__path__):
        members = vars(importlib.import_module(f"{package.__name__}.{module.name}")).values()
        found |= {one for one in members if inspect.isclass(one) and issubclass(one, Method)}
    assert {one for one in found if not inspect.isabstract(one)} == {targets(name) for name in choices("method")}


def test_references_are_marked():
    marked = {name for name in choices("method") if targets(name).reference}
    assert marked == {"random", "oracle_straight", "oracle_local"}


def options_of(name: str) -> dict:
    """The options of a method with a small budget."""
    node = read_choice("method", name)
    options = {key: value for key, value in BUDGET.items() if key in node}
    if "attributes" in node or "attributes" in node.get("target", {}):
        wanted = ["ink", "width", "slant"]
        options |= {"target": {"attributes": wanted}} if "target" in node else {"attributes": wanted}
    return options


@pytest.fixture(scope="module")
def spaces():
    mapped = load_generator("stylegan2", weights="random", size="tiny")
    return [load_generator("sngan_mnist").space("z"), mapped.space("w")]


class Watched(Selection):
    """A predictor that counts what is asked of it."""

    asked = 0

    def measure(self, *seen) -> torch.Tensor:
        """Count, and measure."""
        Watched.asked += 1
        return super().measure(*seen)


@pytest.mark.parametrize("name", [name for name in choices("method") if name not in NEEDS_A_FILE])
def test_it_finds_paths(name, spaces):
    """In the first space where it works: paths on the CPU that move latents, and not by an amount of 0. What the method
    says of itself is true: two seeds give two results, and a predictor of attributes is read, or not."""
    method = build_component("method", name, **options_of(name))
    predictor, _ = load_predictors("mnist")
    attributes = Watched(predictor, predictor.names)
    Watched.asked = 0
    for space in spaces:
        try:
            paths, other = (discover(method, space, steps=2, predictor=attributes, seed=seed) for seed in (0, 1))
            break
        except NotApplicable:
            continue
    else:
        pytest.fail(f"method={name} works in none of {[one.name for one in spaces]}")
    assert method.supervised == (Watched.asked > 0), f"{type(method).__name__}.supervised must say what it reads"
    same = all(torch.equal(value, other.state_dict()[key]) for key, value in paths.state_dict().items())
    assert method.seeded == (not same), f"{type(method).__name__}.seeded must say whether two seeds give two results"
    assert isinstance(paths, Paths) and not paths.training and paths.dim == space.shape[-1]
    assert all(value.device.type == "cpu" for value in paths.state_dict().values())
    codes = paths.anchor(space, space.sample(4, stream(0, 0, 0)))
    k, eps = torch.arange(4) % paths.num_paths, torch.tensor([0.0, 0.5, -0.5, 1.0])
    moved = paths.shift(codes.latents, k, eps, codes.given)
    assert moved.shape == codes.latents.shape and moved.isfinite().all()
    assert torch.equal(moved[0], codes.latents[0])
