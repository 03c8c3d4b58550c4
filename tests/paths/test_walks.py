"""Walks: steps of 0, norms, classes, steps of a network, and what is saved."""

from __future__ import annotations

import pytest
import torch

from latent_lab.checkpoints import native
from latent_lab.paths.walks import WalkPaths

D, K, N = 6, 4, 8
KINDS = {
    "straight": dict(kind="linear", keep_norm=False),
    "sphere": dict(kind="linear", keep_norm=True),
    "classes": dict(kind="linear", keep_norm=True, classes=3),
    "network": dict(kind="network", keep_norm=False, width=8),
    "network-sphere": dict(kind="network", keep_norm=True, width=8, step=0.25),
}


def build(kind: str, dtype: torch.dtype = torch.float64) -> WalkPaths:
    rng = torch.Generator().manual_seed(1)
    paths = WalkPaths(D, K, init=3.0, rng=rng, **KINDS[kind]).to(dtype)
    return paths


def edits(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    z = torch.randn(N, D, generator=torch.Generator().manual_seed(2), dtype=dtype)
    return z, torch.arange(N) % K, torch.linspace(-1.3, 1.4, N, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_amount_of_zero_returns_the_latents_exactly(kind, dtype):
    paths, (z, k, eps) = build(kind, dtype), edits(dtype)
    eps[::2] = 0
    moved = paths.shift(z, k, eps)
    assert torch.equal(moved[::2], z[::2])
    assert (moved[1::2] != z[1::2]).any(1).all()


@pytest.mark.parametrize("kind", ["sphere", "classes", "network-sphere"])
def test_every_latent_keeps_its_own_norm(kind):
    z, k, eps = edits()
    z = z * torch.linspace(0.5, 3, N, dtype=z.dtype)[:, None]
    moved = build(kind).shift(z, k, eps)
    torch.testing.assert_close(torch.linalg.vector_norm(moved, dim=1), torch.linalg.vector_norm(z, dim=1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_does_not_depend_on_its_batch(kind):
    paths, (z, k, eps) = build(kind), edits()
    alone = torch.cat([paths.shift(z[i : i + 1], k[i : i + 1], eps[i : i + 1]) for i in range(N)])
    torch.testing.assert_close(paths.shift(z, k, eps), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("amount", [0.0, 0.1])
@pytest.mark.parametrize("kind", KINDS)
def test_speed_along_a_path_is_its_derivative(kind, amount):
    paths, (z, k, _) = build(kind), edits()
    eps, h = torch.full((N,), amount, dtype=z.dtype, requires_grad=True), 1e-5
    speed = torch.stack([torch.autograd.grad(paths.shift(z, k, eps)[:, i].sum(), eps)[0] for i in range(D)], 1)
    with torch.no_grad():
        secant = (paths.shift(z, k, eps + h) - paths.shift(z, k, eps - h)) / (2 * h)
    torch.testing.assert_close(speed, secant, rtol=1e-3, atol=1e-3)


def test_a_straight_walk_adds_its_direction():
    paths, (z, k, eps) = build("straight"), edits()
    torch.testing.assert_close(paths.shift(z, k, eps), z + eps[:, None] * paths.weight[0][k])


def test_a_network_takes_steps_of_its_own_velocity():
    paths, (z, k, _) = build("network"), edits()
    half = z + 0.5 * paths.velocity(z, k)
    torch.testing.assert_close(paths.shift(z, k, torch.ones(N, dtype=z.dtype)), half + 0.5 * paths.velocity(half, k))


def test_a_class_has_a_direction_of_its_own():
    paths, (z, k, eps) = build("classes"), edits()
    label = torch.arange(N) % 3
    moved = paths.shift(z, k, eps, {"label": label})
    for i in range(N):
        straight = z[i] + eps[i] * paths.weight[label[i], k[i]]
        torch.testing.assert_close(moved[i], straight * z[i].norm() / straight.norm())
    mean = build("classes")
    mean.weight.data = paths.weight.mean(0, keepdim=True).expand(3, -1, -1)
    torch.testing.assert_close(paths.shift(z, k, eps), mean.shift(z, k, eps, {"label": label}))


@pytest.mark.parametrize("kind", KINDS)
def test_config_and_tensors_rebuild_the_paths(kind, tmp_path):
    paths, (z, k, eps) = build(kind, torch.float32), edits(torch.float32)
    file = tmp_path / "paths.safetensors"
    file.write_bytes(native.to_bytes(paths.state_dict(), {"config": paths.config}))
    tensors, metadata = native.read(file)
    again = WalkPaths(**metadata["config"])
    native.load_into(again, tensors, file)
    assert torch.equal(again.shift(z, k, eps), paths.shift(z, k, eps))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "bent"}, r"kind must be one of \('linear', 'network'\), got 'bent'"),
        (
            {"kind": "network", "classes": 3},
            "classes must be 0 for kind='network', got 3; kind='linear' has directions of a class",
        ),
        ({"step": 0.0}, "classes must be at least 0, width at least 1 and step above 0, got 0, 64 and 0.0"),
    ],
)
def test_errors_are_one_line(options, message):
    with pytest.raises(ValueError, match=message) as error:
        WalkPaths(D, K, **options)
    assert "\n" not in str(error.value)
