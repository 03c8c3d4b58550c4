"""Paths along curvilinear coordinates: the map, its determinant, its penalties."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd.functional import jacobian

from latent_lab.paths.curvilinear import CurvilinearPaths

D, K, N = 5, 3, 4
FLOWS = {
    "affine": dict(flow="coupling", width=16, affine=True),
    "additive": dict(flow="coupling", width=16, affine=False),
    "ffjord": dict(flow="ffjord", depth=1, time=1.0, atol=1e-8, rtol=1e-8, divergence="exact"),
}
TOLERANCE = {"affine": 1e-9, "additive": 1e-10, "ffjord": 1e-6}
PERTURBATION = {"affine": 0.2, "additive": 0.4, "ffjord": 0.5}  # enough for curved paths, too little for overflow


def build(name: str, perturb: float | None = None, **options) -> CurvilinearPaths:
    perturb = PERTURBATION[name] if perturb is None else perturb
    rng = torch.Generator().manual_seed(0)
    paths = CurvilinearPaths(D, K, rng=rng, **FLOWS[name] | options).double()
    with torch.no_grad():
        for parameter in paths.parameters():
            parameter += perturb * torch.randn(parameter.shape, generator=rng)
    return paths


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    z = torch.randn(N, D, generator=torch.Generator().manual_seed(1)).double()
    return z, torch.arange(N) % K, torch.tensor([1.0, -0.7, 0.4, -1.5]).double()


def coordinates(paths: CurvilinearPaths, z: torch.Tensor) -> torch.Tensor:
    """All D of them, those without a path too."""
    return paths.flow()(z)


def log_det(paths: CurvilinearPaths, z: torch.Tensor) -> torch.Tensor:
    """log|det df/dz| of each latent, from its whole Jacobian."""
    return torch.stack([jacobian(lambda x: coordinates(paths, x[None])[0], row).slogdet()[1] for row in z])


@pytest.mark.parametrize("name", FLOWS)
def test_latents_invert_coordinates(name):
    paths, (z, _, _) = build(name), inputs()
    assert (coordinates(paths, z) - z).abs().max() > 0.1
    torch.testing.assert_close(paths.latents(coordinates(paths, z)), z, rtol=0, atol=TOLERANCE[name])


@pytest.mark.parametrize("name", FLOWS)
def test_coordinates_are_those_that_have_a_path(name):
    paths, (z, _, _) = build(name), inputs()
    assert torch.equal(paths.coordinates(z), coordinates(paths, z)[:, :K])


@pytest.mark.parametrize("name", FLOWS)
def test_an_edit_adds_to_one_coordinate(name):
    paths, (z, k, eps) = build(name), inputs()
    change = coordinates(paths, paths.shift(z, k, eps)) - coordinates(paths, z)
    expected = torch.zeros(N, D).double()
    expected[torch.arange(N), k] = eps
    torch.testing.assert_close(change, expected, rtol=0, atol=TOLERANCE[name])


@pytest.mark.parametrize("name", FLOWS)
def test_penalties_are_those_of_the_whole_jacobian(name):
    paths, (z, k, eps) = build(name), inputs()
    moved, penalties = paths.move(z, k, eps)
    tolerance = dict(rtol=0, atol=10 * TOLERANCE[name])
    torch.testing.assert_close(penalties["log_det"], log_det(paths, moved).square().mean(), **tolerance)
    likelihood = (coordinates(paths, z).square().sum(1) / 2 - log_det(paths, z)).mean() / D
    torch.testing.assert_close(penalties["likelihood"], likelihood, **tolerance)
    if name == "additive":
        assert penalties["log_det"] == 0
    else:
        assert penalties["log_det"] > 1e-3


def test_the_stochastic_trace_has_no_bias():
    paths, (z, _, _) = build("ffjord", perturb=0.2, divergence="hutchinson", atol=1e-5, rtol=1e-5), inputs()
    torch.manual_seed(0)
    with torch.no_grad():
        _, probes = paths.flow().call_and_ladj(z[:1].expand(20_000, D))  # each sample draws its own probe
    error = probes.mean() - log_det(paths, z[:1])[0]
    assert probes.std() > 0.01
    assert abs(error) < 4 * probes.std() / math.sqrt(len(probes))


@pytest.mark.parametrize("affine", [True, False])
def test_coupling_starts_as_straight_orthonormal_paths(affine):
    paths, (z, _, _) = build("affine", perturb=0.0, affine=affine), inputs()
    k, eps = torch.arange(K), torch.tensor([1.0, -2.0, 0.3]).double()
    directions = torch.stack([(paths.shift(row.expand(K, D), k, eps) - row) / eps[:, None] for row in z])
    torch.testing.assert_close(directions, directions[:1].expand_as(directions))
    torch.testing.assert_close(directions[0] @ directions[0].mT, torch.eye(K).double())


@pytest.mark.parametrize("dim, count", [(128, 101_376), (120, 89_280), (512, 1_585_152)])
def test_published_sizes_of_the_continuous_flow(dim, count):
    """Table of Deep Curvilinear Editing: five hidden layers as wide as the latent."""
    with torch.device("meta"):
        paths = CurvilinearPaths(dim, dim, "ffjord")
    assert sum(p.numel() for p in paths.parameters()) == count


def test_continuous_flow_follows_its_velocity():
    paths, (z, _, _) = build("ffjord"), inputs()
    v, steps = z, 200
    with torch.no_grad():
        for i in range(steps):  # the midpoint rule
            h, t = 1 / steps, torch.tensor((i + 0.5) / steps).double()
            v = v + h * paths.flow.velocity(t, v + h / 2 * paths.flow.velocity(t - h / 2, v))
        torch.testing.assert_close(coordinates(paths, z), v, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "latent, tolerance, reason",
    [(math.nan, 1e-5, "its velocity is not finite"), (1.0, 1e-12, "evaluations at atol=1e-12")],
)
def test_a_flow_that_cannot_be_solved_says_so(latent, tolerance, reason, monkeypatch):
    """The solver alone would shorten its step for ever."""
    paths = CurvilinearPaths(D, K, "ffjord", depth=1, time=1.0, atol=tolerance, rtol=tolerance)
    monkeypatch.setattr(paths.flow, "most_evaluations", 500)
    with pytest.raises(FloatingPointError, match=f"flow=ffjord cannot be solved: .*{reason}"):
        coordinates(paths, torch.full((2, D), latent))
