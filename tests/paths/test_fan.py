"""Edits along every path at once, and the coordinates whose axes the paths are."""

from __future__ import annotations

import pytest
import torch

from latent_lab.paths.base import Paths
from latent_lab.paths.curvilinear import CurvilinearPaths
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.rbf import RBFPaths

D, K, N = 6, 4, 5
FFJORD = dict(depth=2, time=0.5)
KINDS = {
    "orthogonal": lambda rng: LinearPaths(D, K, "orthogonal", rng=rng),
    "projective": lambda rng: LinearPaths(D, K, "projective", rng=rng),
    "free": lambda rng: LinearPaths(D, K, "free", rng=rng),
    "rbf-euler": lambda rng: RBFPaths(D, K, num_dipoles=8, rng=rng),
    "rbf-rk4": lambda rng: RBFPaths(D, K, num_dipoles=8, integrator="rk4", rng=rng),
    "affine": lambda rng: CurvilinearPaths(D, K, width=16, rng=rng),
    "additive": lambda rng: CurvilinearPaths(D, K, width=16, affine=False, rng=rng),
    "ffjord": lambda rng: CurvilinearPaths(D, K, "ffjord", rng=rng, **FFJORD),
}
WITH_COORDINATES = [kind for kind in KINDS if not kind.startswith("rbf")]


def build(kind: str, dtype: torch.dtype = torch.float64) -> Paths:
    rng = torch.Generator().manual_seed(1)
    paths = KINDS[kind](rng).to(dtype)
    with torch.no_grad():
        for parameter in paths.parameters():
            # the coupling networks start at 0
            parameter += 0.15 * torch.randn(parameter.shape, generator=rng, dtype=parameter.dtype)
    if dtype == torch.float64 and kind == "ffjord":
        paths.flow.atol = paths.flow.rtol = 1e-9  # float32 cannot reach it
    return paths


def tolerance(kind: str) -> float:
    return 1e-6 if kind == "ffjord" else 1e-9


@pytest.fixture
def z(rng) -> torch.Tensor:
    return torch.randn(N, D, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize("eps", [0.3, -1.1])
@pytest.mark.parametrize("kind", KINDS)
def test_a_fan_is_the_shift_along_each_path(kind, eps, z):
    paths = build(kind)
    fan = paths.fan(z, eps)
    assert fan.shape == (N, K, D) and fan.dtype == z.dtype
    for k in range(K):
        shifted = paths.shift(z, torch.full((N,), k), torch.full((N,), eps, dtype=z.dtype))
        torch.testing.assert_close(fan[:, k], shifted, rtol=0, atol=tolerance(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fan_of_no_amount_is_the_latents(kind, z):
    torch.testing.assert_close(build(kind).fan(z, 0.0), z[:, None].expand(N, K, D), rtol=0, atol=tolerance(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_a_fan_reach_latents_and_parameters(kind, z):
    paths = build(kind)
    paths.fan(z.requires_grad_(), 0.5).square().sum().backward()
    for name, tensor in [("z", z), *paths.named_parameters()]:
        assert tensor.grad is not None and tensor.grad.isfinite().all() and tensor.grad.any(), name


@pytest.mark.parametrize("kind", KINDS)
def test_autocast_does_not_reach_a_fan(kind, z):
    paths = build(kind, torch.float32)
    outside = paths.fan(z.float(), 0.5)
    with torch.autocast("cpu", torch.bfloat16):
        inside = paths.fan(z.float(), 0.5)
    assert inside.dtype == torch.float32 and torch.equal(inside, outside)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_latents_fan_out_in_float32(kind, z):
    """So is the amount: 0.3 is not a number of bfloat16."""
    paths = build(kind, torch.float32)
    assert torch.equal(paths.fan(z.bfloat16(), 0.3), paths.fan(z.bfloat16().float(), 0.3))


@pytest.mark.parametrize("kind", ["rbf-euler", "rbf-rk4"])
def test_paths_that_do_not_commute_are_no_axes_of_coordinates(kind, z):
    assert build(kind).coordinates(z) is None


@pytest.mark.parametrize("eps", [0.3, -1.1])
@pytest.mark.parametrize("kind", WITH_COORDINATES)
def test_an_edit_changes_the_coordinate_of_its_path_alone_by_its_amount(kind, eps, z):
    """The columns of projective and free paths are not orthogonal, and their coordinates not projections on them."""
    paths = build(kind)
    before = paths.coordinates(z)
    assert before.shape == (N, K)
    after = paths.coordinates(paths.fan(z, eps).flatten(0, 1)).unflatten(0, (N, K))
    torch.testing.assert_close(
        after - before[:, None], eps * torch.eye(K).expand(N, K, K).double(), rtol=0, atol=tolerance(kind)
    )


def test_coordinates_of_orthogonal_paths_are_projections(z):
    paths = build("orthogonal")
    torch.testing.assert_close(paths.coordinates(z), z @ paths.matrix())


@pytest.mark.parametrize("kind", ["affine", "ffjord"])
def test_coordinates_of_all_curvilinear_paths_lead_back_to_the_latents(kind, z):
    paths = build(kind)
    paths.num_paths = D
    torch.testing.assert_close(paths.latents(paths.coordinates(z)), z, rtol=0, atol=tolerance(kind))
