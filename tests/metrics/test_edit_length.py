"""Realised lengths, by hand."""

from __future__ import annotations

import pytest
import torch

from latent_lab.evaluation.subject import Subject
from latent_lab.metrics.base import Bootstrap, Setting
from latent_lab.metrics.edit_length import EditLengths, find_shell
from latent_lab.metrics.views import Single, Views
from latent_lab.paths.linear import LinearPaths


def scores(space, before: torch.Tensor, after: torch.Tensor, eps: torch.Tensor) -> dict[str, float]:
    subject = Subject(space, LinearPaths(before.shape[1], 1))
    metric, num = EditLengths(), len(before)
    rows = metric.observe(Views(subject, num, single_edits=Single(before, after, before, eps)))
    bootstrap = Bootstrap(num, 5, torch.Generator().manual_seed(0))
    return {score.name: score.value for score in metric.scores(rows, Setting(subject, 0, bootstrap))}


def test_on_a_flat_space(space):
    before = torch.zeros(2, 16)
    before[:, 0] = 4.0  # in the middle of the shell of 16 coordinates
    after = before.clone()
    after[0, 0], after[1, 1] = 8.0, 3.0  # radially to radius 8; sideways to radius 5
    assert scores(space, before, after, torch.tensor([2.0, -1.0])) == {
        "length/realised": pytest.approx(3.5),
        "length/per_amount": pytest.approx(2.5),
        "prior/radius_ratio": pytest.approx((2 + 1.25) / 2),
        "prior/outside_99.9_shell": 0.5,
    }


def test_a_sphere_counts_only_what_the_generator_sees(sphere, rng):
    z = sphere.sample(2, rng).latents
    tangent = torch.randn(2, 16, generator=rng)
    tangent -= z * (tangent * z).sum(1, keepdim=True) / z.square().sum(1, keepdim=True)
    radial = scores(sphere, z, 2 * z, torch.ones(2))
    assert radial["length/realised"] == pytest.approx(0, abs=1e-5)
    assert radial["prior/radius_ratio"] == 1 and radial["prior/outside_99.9_shell"] == 0
    quarter = z + z.norm(dim=1, keepdim=True) * tangent / tangent.norm(dim=1, keepdim=True)
    # the chord of 45 degrees, radius 4
    turned = scores(sphere, z, quarter, torch.ones(2))
    assert turned["length/realised"] == pytest.approx(4 * (2 - 2**0.5) ** 0.5, rel=1e-4)


def test_a_thousandth_of_the_prior_is_outside_the_shell(space, rng):
    inner, outer = find_shell(space, 0)
    radii = space.radius(space.sample(40_000, rng).latents)
    assert ((radii < inner) | (radii > outer)).double().mean().item() == pytest.approx(0.001, abs=0.0008)
