"""Paths as vector fields."""

from __future__ import annotations

import math

import pytest
import torch

from latent_lab.metrics.fields import BracketError, Curvature, bend, bracket_error, direction_spread, field, lie_bracket
from latent_lab.paths.base import Paths
from latent_lab.paths.curvilinear import CurvilinearPaths
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.rbf import RBFPaths

D, K, N = 6, 4, 5
KINDS = {
    "orthogonal": lambda rng: LinearPaths(D, K, "orthogonal", rng=rng),
    "free": lambda rng: LinearPaths(D, K, "free", rng=rng),
    "coupling": lambda rng: CurvilinearPaths(D, K, width=16, rng=rng),
    "ffjord": lambda rng: CurvilinearPaths(D, K, "ffjord", depth=2, time=1.0, atol=1e-9, rtol=1e-9, rng=rng),
    "rbf-euler": lambda rng: RBFPaths(D, K, num_dipoles=8, rng=rng),
    "rbf-rk4": lambda rng: RBFPaths(D, K, num_dipoles=8, integrator="rk4", rng=rng),
}


def build(kind: str) -> Paths:
    rng = torch.Generator().manual_seed(1)
    paths = KINDS[kind](rng).double()
    with torch.no_grad():
        for parameter in paths.parameters():
            # the coupling networks start at 0
            parameter += 0.15 * torch.randn(parameter.shape, generator=rng, dtype=parameter.dtype)
    return paths.requires_grad_(False)


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(2)
    return torch.randn(N, D, generator=rng, dtype=torch.float64), torch.arange(N) % K, (torch.arange(N) + 1) % K


@pytest.mark.parametrize("kind", ["orthogonal", "free"])
def test_the_field_of_straight_paths_is_their_column(kind):
    paths, (z, k, _) = build(kind), inputs()
    torch.testing.assert_close(field(paths, z, k), paths.matrix().mT[k])


@pytest.mark.parametrize("kind", ["rbf-euler", "rbf-rk4"])
def test_the_field_of_rbf_paths_is_their_direction(kind):
    paths, (z, k, _) = build(kind), inputs()
    torch.testing.assert_close(field(paths, z, k), paths.direction(z, k))


@pytest.mark.parametrize("kind", KINDS)
def test_the_field_is_the_secant_of_a_small_edit(kind):
    """Also for ffjord, whose solver has no forward mode."""
    paths, (z, k, _) = build(kind), inputs()
    h = torch.full((N,), 1e-4, dtype=z.dtype)
    secant = (paths.shift(z, k, h) - paths.shift(z, k, -h)) / 2e-4
    torch.testing.assert_close(field(paths, z, k), secant, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind, tolerance", [("orthogonal", 0), ("free", 0), ("coupling", 1e-10), ("ffjord", 1e-5)])
def test_the_bracket_of_paths_that_commute_is_0(kind, tolerance):
    """ffjord up to the solver's tolerance, which the differences magnify."""
    paths, (z, k, l) = build(kind), inputs()
    assert bracket_error(paths, z, k, l).max() <= tolerance


@pytest.mark.parametrize("kind", ["rbf-euler", "rbf-rk4"])
def test_the_bracket_is_the_commutator_of_two_small_edits(kind):
    """Their difference in the two orders, over the square of the amount."""
    paths, (z, k, l) = build(kind), inputs()

    def commutator(size: float) -> torch.Tensor:
        eps = torch.full((N,), size, dtype=z.dtype)
        return (paths.shift(paths.shift(z, k, eps), l, eps) - paths.shift(paths.shift(z, l, eps), k, eps)) / size**2

    bracket, h = lie_bracket(paths, z, k, l), 1e-3
    torch.testing.assert_close(bracket, (commutator(h) + commutator(-h)) / 2, rtol=1e-4, atol=1e-5)
    assert bracket.norm(dim=1).min() > 1e-2


@pytest.mark.parametrize("kind", ["rbf-euler", "rbf-rk4"])
def test_the_bracket_is_that_of_the_fields_jacobians(kind):
    paths, (z, k, l) = build(kind), inputs()

    def jacobian(i: int, path: torch.Tensor) -> torch.Tensor:
        return torch.func.jacrev(lambda point: paths.direction(point[None], path[i : i + 1])[0])(z[i])

    for i in range(2):
        one, other = (paths.direction(z[i : i + 1], path[i : i + 1])[0] for path in (k, l))
        expected = jacobian(i, l) @ one - jacobian(i, k) @ other
        torch.testing.assert_close(lie_bracket(paths, z, k, l)[i], expected)


@pytest.mark.parametrize("kind", ["rbf-euler", "coupling"])
def test_the_bracket_is_antisymmetric_and_0_of_a_path_with_itself(kind):
    paths, (z, k, l) = build(kind), inputs()
    torch.testing.assert_close(lie_bracket(paths, z, k, l), -lie_bracket(paths, z, l, k))
    assert torch.equal(lie_bracket(paths, z, k, k), torch.zeros(N, D, dtype=z.dtype))


def test_the_bracket_is_measured_in_float64_and_the_paths_stay_as_they_are():
    paths, (z, k, l) = build("rbf-euler").float(), inputs()
    bracket = lie_bracket(paths, z.float(), k, l)
    assert bracket.dtype == torch.float64 and paths.supports.dtype == torch.float32
    torch.testing.assert_close(bracket, lie_bracket(build("rbf-euler"), z, k, l), rtol=1e-3, atol=1e-4)
    assert bracket_error(paths, z.float(), k, l).dtype == torch.float32


class Rotations(Paths):
    """In the plane: path 0 turns about the origin, path 1 goes to the right with a given speed."""

    def __init__(self, speed: float = 1.0) -> None:
        super().__init__(2, 2)
        self.speed = speed

    def _shift(self, latents: torch.Tensor, k: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
        x, y, cos, sin = *latents.unbind(1), torch.cos(eps), torch.sin(eps)
        turned = torch.stack([cos * x - sin * y, sin * x + cos * y], 1)
        return torch.where((k == 0)[:, None], turned, latents + torch.stack([self.speed * eps, 0 * eps], 1))


def test_the_bracket_of_a_turn_and_a_translation_by_hand():
    """X = (-y, x), Y = (s, 0): DY X - DX Y = (0, -s)."""
    z, zero, one = (
        torch.tensor([[3.0, 4.0], [0.6, -0.8]]).double(),
        torch.zeros(2, dtype=torch.long),
        torch.ones(2, dtype=torch.long),
    )
    torch.testing.assert_close(lie_bracket(Rotations(2.0), z, zero, one), torch.tensor([[0.0, -2.0]] * 2).double())
    torch.testing.assert_close(bracket_error(Rotations(2.0), z, zero, one), torch.tensor([1 / 5, 1.0]).double())


def test_the_error_is_per_unit_of_length_whatever_the_speed():
    z, zero, one = (
        torch.tensor([[3.0, 4.0]]).double(),
        torch.zeros(1, dtype=torch.long),
        torch.ones(1, dtype=torch.long),
    )
    errors = [bracket_error(Rotations(speed), z, zero, one).item() for speed in (0.1, 1.0, 30.0)]
    assert errors == pytest.approx([0.2] * 3)


def test_the_spread_of_straight_paths_is_0(rng):
    directions = LinearPaths(D, K, "free", rng=rng).matrix().mT.expand(N, K, D)
    assert direction_spread(directions).max() < 1e-7
    assert direction_spread(directions * torch.rand(N, K, 1, generator=rng)).max() < 1e-7  # their lengths do not count


def test_the_spread_by_hand():
    right, up = (1.0, 0.0), (0.0, 1.0)
    directions = torch.tensor([[right, right, right], [up, right, right], [up, (-2.0, 0.0), right]])
    # mean cosines of the three pairs: (0 + 0 + 1) / 3, (1 - 1 - 1) / 3, 1
    torch.testing.assert_close(direction_spread(directions), torch.tensor([2 / 3, 4 / 3, 0]).double())


def test_the_spread_is_one_minus_the_mean_over_pairs(rng):
    directions = torch.randn(N, K, D, generator=rng).double()
    cosine = torch.nn.functional.cosine_similarity(directions[:, None], directions[None], dim=-1)
    first, second = torch.triu_indices(N, N, 1)
    torch.testing.assert_close(direction_spread(directions), 1 - cosine[first, second].mean(0))


def test_the_bend_of_a_straight_path_is_0_and_of_a_closed_one_1(rng):
    line = torch.linspace(0, 1, 7)[:, None] * torch.randn(3, 1, D, generator=rng)
    assert bend(line).max() < 1e-6
    assert bend(torch.cat([line, line[:, :1]], 1)).tolist() == [1.0] * 3


@pytest.mark.parametrize("turn", [0.5, 1.0, math.pi])
def test_the_bend_of_an_arc_by_hand(turn):
    angle = torch.linspace(0, turn, 2001).double()
    points = 3 * torch.stack([angle.cos(), angle.sin()], 1)[None]
    assert bend(points).item() == pytest.approx(1 - 2 * math.sin(turn / 2) / turn, abs=1e-6)


def test_the_metrics_are_their_functions_over_all_updates(rng):
    paths, (z, k, l) = build("rbf-rk4"), inputs()
    metric = BracketError()
    for part in (slice(0, 1), slice(1, None)):
        metric.update(paths, z[part], k[part], l[part])
    torch.testing.assert_close(metric.compute(), bracket_error(paths, z, k, l).double().mean())
    assert metric.higher_is_better is False

    directions, points = torch.randn(5, 3, 4, generator=rng), torch.randn(5, 3, 6, 4, generator=rng)
    curvature = Curvature()
    for part in (slice(0, 2), slice(2, None)):
        curvature.update(directions[part], points[part])
    found = curvature.compute()
    torch.testing.assert_close(found["spread"], direction_spread(directions))
    torch.testing.assert_close(found["bend"], torch.stack([bend(points[:, i]).mean() for i in range(3)]))


def test_one_latent_has_no_spread():
    assert direction_spread(torch.ones(1, 2, 3)).isnan().all()
