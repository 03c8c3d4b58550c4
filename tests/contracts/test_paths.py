"""What every family of paths must do. Families are found in ``latent_lab.paths``: a new one is tested without an edit
here, unless its constructor needs more than ``dim`` and ``num_paths``."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable

import pytest
import torch

from latent_lab import paths as package
from latent_lab.checkpoints import native
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import LayerwisePaths
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.local import LocalPaths
from latent_lab.paths.rowwise import RowwisePaths
from latent_lab.runs import build_paths

D, K, L, N = 6, 4, 3, 8
EXAMPLES: dict[type[Paths], Callable[[], Paths]] = {  # of families whose constructors need more
    LayerwisePaths: lambda: LayerwisePaths(LinearPaths(D, K), [0, 2]),
    RowwisePaths: lambda: RowwisePaths(D, K, rows=L),
}


def families() -> list[type[Paths]]:
    """Every concrete family; those whose directions are of each image are tested with a generator in test_local.py."""
    found = set()
    for module in pkgutil.iter_modules(package.__path__):
        members = vars(importlib.import_module(f"{package.__name__}.{module.name}")).values()
        found |= {one for one in members if inspect.isclass(one) and issubclass(one, Paths)}
    concrete = {one for one in found if not inspect.isabstract(one) and not issubclass(one, LocalPaths)}
    return sorted(concrete, key=lambda family: family.__name__)


def build(family: type[Paths], dtype: torch.dtype = torch.float64) -> Paths:
    """The family's paths far from their initial values."""
    if family in EXAMPLES:
        paths = EXAMPLES[family]()
    else:
        needed = [
            name
            for name, one in inspect.signature(family).parameters.items()
            if one.default is one.empty and one.kind is not one.VAR_KEYWORD and name not in ("dim", "num_paths")
        ]
        assert not needed, f"{family.__name__} needs {needed}: add an example of it to EXAMPLES in {__file__}"
        paths = family(dim=D, num_paths=K)
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in paths.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=rng)
    return paths.to(dtype).eval()


def edits(paths: Paths, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    shape = (N, L, D) if isinstance(paths, LayerwisePaths | RowwisePaths) else (N, D)
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=dtype)
    return latents, torch.arange(N) % K, torch.linspace(-1.3, 1.4, N, dtype=dtype)


@pytest.mark.parametrize("family", families(), ids=lambda family: family.__name__)
class TestPaths:
    def test_an_amount_of_zero_returns_the_latents_exactly(self, family):
        for dtype in (torch.float32, torch.float64):
            paths = build(family, dtype)
            latents, k, eps = edits(paths, dtype)
            eps[::2] = 0  # beside others, too
            moved = paths.shift(latents, k, eps)
            assert moved.shape == latents.shape
            assert torch.equal(moved[::2], latents[::2]), "an amount of 0 must return the latents bit for bit"
            assert (moved[1::2] != latents[1::2]).flatten(1).any(1).all()

    def test_an_edit_does_not_depend_on_its_batch(self, family):
        paths = build(family)
        latents, k, eps = edits(paths)
        alone = torch.cat([paths.shift(latents[i : i + 1], k[i : i + 1], eps[i : i + 1]) for i in range(N)])
        torch.testing.assert_close(paths.shift(latents, k, eps), alone, rtol=0, atol=1e-5)

    def test_small_amounts_move_a_little_and_gradients_are_finite(self, family):
        paths = build(family)
        latents, k, eps = edits(paths)
        near = paths.shift(latents, k, 1e-4 * eps)
        assert (near - latents).abs().max() < 1e-2, "an amount near 0 must move the latents a little"
        latents.requires_grad_()
        paths.shift(latents, k, eps).square().sum().backward()
        assert latents.grad.isfinite().all() and latents.grad.any()

    def test_a_file_rebuilds_them(self, family, tmp_path):
        paths = build(family, torch.float32)
        latents, k, eps = edits(paths, torch.float32)
        file = tmp_path / "paths.safetensors"
        file.write_bytes(native.to_bytes(paths.state_dict(), paths.description()))
        tensors, description = native.read(file)
        again = build_paths(description)
        native.load_into(again, tensors, file)
        assert torch.equal(again.eval().shift(latents, k, eps), paths.shift(latents, k, eps))

    def test_half_precision_latents_are_moved_in_float32(self, family):
        paths = build(family, torch.float32)
        latents, k, eps = edits(paths, torch.float32)
        with torch.autocast("cpu", torch.bfloat16):
            moved = paths.shift(latents.bfloat16(), k, eps)
        assert moved.dtype == torch.float32
        assert torch.equal(moved, paths.shift(latents.bfloat16().float(), k, eps))

    def test_no_edits_are_no_edits(self, family):
        paths = build(family)
        latents, k, eps = edits(paths)
        assert paths.shift(latents[:0], k[:0], eps[:0]).shape == latents[:0].shape
