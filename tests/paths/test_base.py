"""What holds for every kind of paths, at parameters far from their initial values."""

from __future__ import annotations

import pytest
import torch

from latent_lab.checkpoints import native
from latent_lab.paths.base import Paths
from latent_lab.paths.curvilinear import CurvilinearPaths
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.neural_ode import NeuralODEPaths
from latent_lab.paths.potential import PotentialPaths
from latent_lab.paths.rbf import RBFPaths

D, K, N = 6, 4, 8
SOLVER = dict(depth=2, time=1.0)
KINDS = {
    "orthogonal": lambda rng: LinearPaths(D, K, "orthogonal", rng=rng),
    "projective": lambda rng: LinearPaths(D, K, "projective", rng=rng),
    "free": lambda rng: LinearPaths(D, K, "free", rng=rng),
    "rbf-euler": lambda rng: RBFPaths(D, K, num_dipoles=8, integrator="euler", rng=rng),
    "rbf-rk4": lambda rng: RBFPaths(D, K, num_dipoles=8, integrator="rk4", rng=rng),
    "affine": lambda rng: CurvilinearPaths(D, K, "coupling", width=16, affine=True, rng=rng),
    "additive": lambda rng: CurvilinearPaths(D, K, "coupling", width=16, affine=False, rng=rng),
    "ffjord-hutchinson": lambda rng: CurvilinearPaths(D, K, "ffjord", divergence="hutchinson", rng=rng, **SOLVER),
    "ffjord-exact": lambda rng: CurvilinearPaths(D, K, "ffjord", divergence="exact", rng=rng, **SOLVER),
    "neural-ode": lambda rng: NeuralODEPaths(D, K, depth=2, step=0.2, rng=rng),
    "potential": lambda rng: PotentialPaths(D, K, times=3, rng=rng),
}
EXACT = {"orthogonal", "projective", "free", "affine", "additive"}  # no solver: they invert and commute up to rounding
ORDERED = ("rbf-euler", "rbf-rk4", "neural-ode", "potential")  # these depend on the order of edits
COMMUTING = [kind for kind in KINDS if kind not in ORDERED]


def build(kind: str, dtype: torch.dtype = torch.float64) -> Paths:
    rng = torch.Generator().manual_seed(1)
    paths = KINDS[kind](rng).to(dtype)
    with torch.no_grad():
        for parameter in paths.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=rng)  # the coupling networks start at 0
    if dtype == torch.float64 and kind.startswith("ffjord"):
        paths.flow.atol = paths.flow.rtol = 1e-8  # float32 cannot reach it: the solver would shorten its steps for ever
    return paths


def tolerance(kind: str) -> float:
    return 1e-8 if kind in EXACT else 1e-6


def edits(dtype: torch.dtype = torch.float64, num: int = N) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents, paths and amounts of both signs, up to several steps of an integrator."""
    rng = torch.Generator().manual_seed(2)
    z = torch.randn(num, D, generator=rng, dtype=dtype)
    eps = torch.linspace(-1.3, 1.4, num, dtype=dtype)
    return z, torch.arange(num) % K, eps


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_amount_of_zero_returns_the_latents_exactly(kind, dtype):
    paths, (z, k, eps) = build(kind, dtype), edits(dtype)
    assert torch.equal(paths.shift(z, k, torch.zeros_like(eps)), z)
    eps[::2] = 0  # beside others, too
    moved = paths.shift(z, k, eps)
    assert torch.equal(moved[::2], z[::2])
    assert (moved[1::2] != z[1::2]).any(1).all()


@pytest.mark.parametrize("kind", COMMUTING)
def test_there_and_back(kind):
    paths, (z, k, eps) = build(kind), edits()
    torch.testing.assert_close(paths.shift(paths.shift(z, k, eps), k, -eps), z, rtol=0, atol=tolerance(kind))


def test_rbf_goes_back_nearly_with_rk4_and_not_with_euler():
    z, k, eps = edits()
    back = {kind: build(kind).shift(build(kind).shift(z, k, eps), k, -eps) for kind in ("rbf-euler", "rbf-rk4")}
    assert (back["rbf-rk4"] - z).abs().max() < 1e-3
    assert (back["rbf-euler"] - z).abs().max() > 1e-2


@pytest.mark.parametrize("kind", KINDS)
def test_only_fields_that_are_not_of_coordinates_depend_on_the_order(kind):
    paths, (z, k, eps) = build(kind), edits()
    l, eps_l = (k + 1) % K, 0.8 * eps.flip(0)
    one = paths.shift(paths.shift(z, k, eps), l, eps_l)
    other = paths.shift(paths.shift(z, l, eps_l), k, eps)
    error = (one - other).abs().max()
    if kind in COMMUTING:
        assert error < tolerance(kind)
    else:
        assert error > 1e-3


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("orthogonal", "projective", "free")])
def test_curved_paths_are_curved(kind):
    paths, (z, k, eps) = build(kind), edits()
    there, opposite = paths.shift(z, k, eps) - z, paths.shift(z, k, -eps) - z
    assert (there + opposite).abs().max() > 1e-2


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_does_not_depend_on_its_batch(kind):
    paths, (z, k, eps) = build(kind), edits()
    alone = torch.cat([paths.shift(z[i : i + 1], k[i : i + 1], eps[i : i + 1]) for i in range(N)])
    torch.testing.assert_close(paths.shift(z, k, eps), alone, rtol=0, atol=tolerance(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_batch_stays_empty(kind):
    assert build(kind).shift(*edits(num=0)).shape == (0, D)


@pytest.mark.parametrize("kind", KINDS)
def test_move_is_shift_with_finite_penalties(kind):
    paths, (z, k, eps) = build(kind), edits()
    torch.manual_seed(0)
    moved, penalties = paths.move(z, k, eps)
    torch.testing.assert_close(moved, paths.shift(z, k, eps), rtol=0, atol=tolerance(kind))
    assert set(penalties) == ({"log_det", "likelihood"} if isinstance(paths, CurvilinearPaths) else set())
    assert all(value.shape == () and value.isfinite() for value in penalties.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_finite(kind, dtype):
    paths, (z, k, eps) = build(kind, dtype), edits(dtype)
    z, eps = z.requires_grad_(), eps.requires_grad_()
    moved, penalties = paths.move(z, k, eps)
    (moved.square().sum() + sum(penalties.values())).backward()
    for name, tensor in [("z", z), ("eps", eps), *paths.named_parameters()]:
        assert tensor.grad is not None and tensor.grad.isfinite().all() and tensor.grad.any(), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("amount", [0.0, 0.1])
def test_speed_along_a_path_is_its_derivative(kind, amount):
    """Also at 0, where an optimiser of amounts starts."""
    paths, (z, k, _) = build(kind), edits()
    eps, h = torch.full((N,), amount, dtype=z.dtype, requires_grad=True), 1e-5
    speed = torch.stack([torch.autograd.grad(paths.shift(z, k, eps)[:, i].sum(), eps)[0] for i in range(D)], 1)
    with torch.no_grad():
        secant = (paths.shift(z, k, eps + h) - paths.shift(z, k, eps - h)) / (2 * h)
    torch.testing.assert_close(speed, secant, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_at_an_amount_of_zero_the_latents_derivative_is_the_identity(kind):
    paths, (z, k, eps) = build(kind), edits()
    weight = torch.randn_like(z)
    z.requires_grad_()
    (gradient,) = torch.autograd.grad((weight * paths.shift(z, k, 0 * eps)).sum(), z)
    torch.testing.assert_close(gradient, weight, rtol=0, atol=10 * tolerance(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_autocast_does_not_reach_the_arithmetic(kind):
    paths, (z, k, eps) = build(kind, torch.float32), edits(torch.float32)
    outside = paths.shift(z, k, eps)
    with torch.autocast("cpu", torch.bfloat16):
        inside, _ = paths.shift(z, k, eps), paths.move(z, k, eps)
        moved, _ = paths.move(z, k, eps)
    assert inside.dtype == moved.dtype == torch.float32
    assert torch.equal(inside, outside)
    torch.testing.assert_close(moved, outside, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_latents_are_shifted_in_float32(kind):
    """A mapping network under autocast hands out such latents."""
    paths, (z, k, eps) = build(kind, torch.float32), edits(torch.float32)
    z = z.bfloat16()
    assert torch.equal(paths.shift(z, k, eps), paths.shift(z.float(), k, eps))


@pytest.mark.parametrize("kind", KINDS)
def test_config_and_tensors_rebuild_the_paths(kind, tmp_path):
    paths, (z, k, eps) = build(kind, torch.float32), edits(torch.float32)
    file = tmp_path / "paths.safetensors"
    file.write_bytes(native.to_bytes(paths.state_dict(), {"config": paths.config}))
    tensors, metadata = native.read(file)
    again = type(paths)(**metadata["config"])
    native.load_into(again, tensors, file)
    assert torch.equal(again.shift(z, k, eps), paths.shift(z, k, eps))


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_fixes_the_initial_values(kind):
    def initial(seed: int) -> torch.Tensor:
        return torch.cat([p.detach().flatten() for p in KINDS[kind](torch.Generator().manual_seed(seed)).parameters()])

    assert torch.equal(initial(0), initial(0))
    assert not torch.equal(initial(0), initial(1))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: LinearPaths(4, 5), "num_paths must be at most the latent's size 4 when kind='orthogonal', got 5"),
        (lambda: LinearPaths(4, 2, "bent"), r"kind must be one of \('orthogonal', 'projective', 'free'\), got 'bent'"),
        (lambda: LinearPaths(0, 2), "dim and num_paths must be at least 1, got 0 and 2"),
        (lambda: RBFPaths(4, 0), "dim and num_paths must be at least 1, got 4 and 0"),
        (lambda: RBFPaths(4, 2, integrator="heun"), r"integrator must be one of \('euler', 'rk4'\), got 'heun'"),
        (lambda: RBFPaths(4, 2, num_dipoles=0), "num_dipoles must be at least 1 and step above 0, got 0 and 0.25"),
        (lambda: NeuralODEPaths(4, 2, depth=0), "depth must be at least 1 and step above 0, got 0 and 1.0"),
        (lambda: PotentialPaths(3, 2), "dim must be at least 4 and times at least 2, got 3 and 5"),
        (lambda: RBFPaths(4, 2, step=0.0), "num_dipoles must be at least 1 and step above 0, got 128 and 0.0"),
        (lambda: CurvilinearPaths(4, 5), "num_paths must be at most the latent's size 4 for curvilinear paths, got 5"),
        (lambda: CurvilinearPaths(4, 2, "glow"), r"flow must be one of \('coupling', 'ffjord'\), got 'glow'"),
        (
            lambda: CurvilinearPaths(1, 1),
            "flow=coupling needs a latent of at least 2 coordinates, layers and width of at least 1, got 1",
        ),
        (
            lambda: CurvilinearPaths(4, 2, "ffjord", divergence="slow"),
            r"divergence must be one of \('hutchinson', 'exact'\), got 'slow'",
        ),
        (
            lambda: CurvilinearPaths(4, 2, "ffjord", time=0.0),
            "depth must be at least 1, time, atol and rtol above 0, got 5, 0.0",
        ),
    ],
)
def test_errors_name_the_allowed_values_in_one_line(make, message):
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "\n" not in str(error.value)
