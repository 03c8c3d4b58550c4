"""Modules are built as a file describes them, and only where its tensors fill them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import threading

import pytest
import torch
import yaml
from torch import nn

import latent_lab.gans
import latent_lab.paths
from latent_lab.checkpoints.limits import limit_modules
from latent_lab.checkpoints.rebuild import build_on_meta, rebuild
from latent_lab.gans.base import Generator
from latent_lab.gans.glo import GLO
from latent_lab.gans.sngan import SNGAN
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.installation import CONF
from latent_lab.paths.affine import AffinePaths
from latent_lab.paths.base import Paths
from latent_lab.paths.calibrated import CalibratedPaths
from latent_lab.paths.curvilinear import CurvilinearPaths
from latent_lab.paths.layerwise import LayerwisePaths
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.local import LocalBasisPaths, RegionalPaths
from latent_lab.paths.neural_ode import NeuralODEPaths
from latent_lab.paths.oracle_local import OracleLocalPaths
from latent_lab.paths.potential import PotentialPaths
from latent_lab.paths.rbf import RBFPaths
from latent_lab.paths.rowwise import RowwisePaths
from latent_lab.paths.walks import WalkPaths

PATHS = [
    lambda: AffinePaths(6, 2),
    lambda: CalibratedPaths(6, 2, knots=5),
    lambda: CurvilinearPaths(6, 2, width=4),
    lambda: CurvilinearPaths(7, 2, width=4, affine=False),
    lambda: CurvilinearPaths(6, 2, "ffjord", depth=2),
    lambda: LayerwisePaths(CurvilinearPaths(6, 2, width=4), [0, 2]),
    lambda: LinearPaths(6, 2),
    lambda: LinearPaths(6, 2, "free"),
    lambda: LocalBasisPaths(6, 2),
    lambda: RegionalPaths(6, 2, None, 8, 0.1, 4),
    lambda: NeuralODEPaths(6, 2, depth=2),
    lambda: OracleLocalPaths(6, 2, ["a", "b"]),
    lambda: PotentialPaths(6, 2),
    lambda: RBFPaths(6, 2, num_dipoles=3),
    lambda: RowwisePaths(6, 2, 3),
    lambda: WalkPaths(6, 2),
    lambda: WalkPaths(6, 2, "network", width=4),
]


def families(package, base: type) -> set[type]:
    """All classes of a package that can be built."""
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    found, waiting = set(), [base]
    while waiting:
        below = waiting.pop().__subclasses__()
        found |= {one for one in below if not inspect.isabstract(one) and one.__module__.startswith("latent_lab.")}
        waiting += below
    return found


def tiny_generators() -> dict[type, dict]:
    """Small arguments of every family."""
    found: dict[type, dict] = {GLO: {"latent_dim": 4, "widths": [8, 4]}, SNGAN: {"latent_dim": 4, "widths": [8, 8]}}
    for file in sorted((CONF / "gan").glob("*.yaml")):
        gan = yaml.safe_load(file.read_text())
        module, _, name = gan["generator"].pop("_target_", "").rpartition(".")
        if module and (gan.get("tiny") or file.stem == "shapes"):
            found[getattr(importlib.import_module(module), name)] = gan["generator"] | (gan.get("tiny") or {})
    return found


def require_rebuilt(make, module: nn.Module) -> None:
    tensors = {name: torch.randn(value.shape).to(value.dtype) for name, value in module.state_dict().items()}
    before = torch.get_rng_state()
    rebuilt = rebuild(make, tensors, "a.file")
    assert torch.equal(torch.get_rng_state(), before)
    assert (
        type(rebuilt) is type(module)
        and not rebuilt.training
        and not any(p.requires_grad for p in rebuilt.parameters())
    )
    assert rebuilt.state_dict().keys() == tensors.keys()
    assert all(torch.equal(value, tensors[name]) for name, value in rebuilt.state_dict().items())
    assert {value.device.type for value in [*rebuilt.parameters(), *rebuilt.buffers()]} <= {"cpu"}


@pytest.mark.parametrize("make", PATHS)
def test_paths_come_back_with_their_tensors(make):
    module = make()
    require_rebuilt(make, module)


def test_every_class_of_paths_is_tried():
    assert {type(make()) for make in PATHS} == families(latent_lab.paths, Paths)


@pytest.mark.parametrize(
    ("family", "options"), tiny_generators().items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_generators_come_back_with_their_tensors(family, options):
    require_rebuilt(lambda: family(**options), family(**options))


def test_every_family_of_generators_is_tried():
    assert tiny_generators().keys() == families(latent_lab.gans, Generator)


ABSURD = {
    "a list that a constructor multiplies": lambda: CurvilinearPaths(2, 1, "ffjord", depth=10**9),
    "layers without end": lambda: StyleGAN2(8, 8, 0, [4, 4], 10**9),
    "a long list": lambda: StyleGAN2(8, 8, 0, [1] * 100_000, 1),
    "a matrix": lambda: LinearPaths(10**6, 10**5),
    "numbers beyond any address": lambda: LinearPaths(10**30, 1),
    "an array of numpy": lambda: named("StyleGAN3")(layers=10**9, critical=1),
    "a filter": lambda: named("StyleGAN3")(8, 8, resolution=32, layers=5, filter_size=10**7),
    "another type": lambda: LinearPaths("6", [2]),
    "a missing key": lambda: {}["base"],
    "division by 0": lambda: named("BigGANDeep")(width=0, layers=[[0, 0, 0]], attention=1) and 1 // 0,
    "a recursion": lambda: endless(),
    "text with control characters": lambda: LinearPaths(2, 1, "\x1b[31m\n" * 1000),
}


def named(name: str) -> type:
    return next(one for one in families(latent_lab.gans, Generator) if one.__name__ == name)


def endless() -> None:
    endless()


@pytest.mark.parametrize("make", ABSURD.values(), ids=ABSURD.keys())
def test_what_no_tensor_can_fill_is_one_line(make):
    with pytest.raises(ValueError, match=r"^a.file describes nothing that can be built \(") as error:
        rebuild(make, {"weight": torch.zeros(3)}, "a.file")
    assert str(error.value).isprintable() and len(str(error.value)) < 300


def test_other_tensors_are_refused_before_anything_is_allocated():
    with pytest.raises(
        ValueError, match=r"^a.file does not fit LinearPaths: shape \['weight \(3,\) instead of \(4, 4\)'\]"
    ):
        rebuild(lambda: LinearPaths(4, 1), {"weight": torch.zeros(3)}, "a.file")


def test_modules_without_a_file_are_bounded_too():
    assert build_on_meta(lambda: LinearPaths(8, 2), "gan.generator").weight.is_meta
    with pytest.raises(ValueError, match="^gan.generator describes nothing that can be built .it would have more than"):
        build_on_meta(lambda: LinearPaths(50_000, 2), "gan.generator")


def test_a_limit_ends_with_its_block_and_holds_for_its_thread():
    made = []
    with limit_modules(numbers=10), pytest.raises(ValueError, match="more than 10 numbers"):
        other = threading.Thread(target=lambda: made.append(nn.Linear(100, 100)))
        other.start()
        other.join()
        nn.Linear(100, 100)
    assert len(made) == 1 and nn.Linear(100, 100).weight.numel() == 10_000
