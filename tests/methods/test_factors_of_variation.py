"""Trajectories of transformed images: inversion, recovery of the direction and its calibration, errors."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch

from latent_lab.gans.shapes import Shapes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context
from latent_lab.methods.factors_of_variation import Trajectories, TrajectoryMethod, low_pass
from latent_lab.methods.transformations import NAMES, transform

OPTIONS = dict(
    transformations={"shift_x": 0.1},
    num_trajectories=24,
    steps=3,
    largest=1.0,
    iterations=15,
    lr=0.1,
    blur=0.05,
    batch_size=24,
)


@pytest.fixture
def shapes() -> LatentSpace:
    return Shapes(mixing=0.0, resolution=16).space()


def context() -> Context:
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    return Context(trainer, 0, torch.Generator().manual_seed(0))


def test_trajectories_go_where_the_images_are(shapes):
    method = TrajectoryMethod(**OPTIONS | {"iterations": 30})
    unit = torch.zeros(len(NAMES))
    unit[NAMES.index("shift_x")] = 0.1
    codes = shapes.sample(16, torch.Generator().manual_seed(1))
    found = method.follow(shapes, codes, unit)
    torch.testing.assert_close(found.amounts, torch.tensor([-1 / 3, -2 / 3, -1, 1 / 3, 2 / 3, 1]))
    assert found.points.shape == (6, 16, 7) and found.errors.shape == (6, 16)
    with torch.no_grad():
        images = shapes.decode(codes)
        for points, amount, errors in zip(found.points, found.amounts, found.errors):
            asked, known = transform(images, (amount * unit).expand(16, -1))
            still = low_pass(known * (images - asked), 0.05).square().mean((1, 2, 3))
            assert errors.median() < 0.3 * still.median()
            left = low_pass(known * (shapes.decode(codes.moved(points)) - asked), 0.05).square().mean((1, 2, 3))
            torch.testing.assert_close(left, errors)


def test_a_shift_is_found_and_calibrated(shapes):
    asked = context()
    paths = TrajectoryMethod(**OPTIONS).fit(shapes, asked)
    assert (paths.directions()[0] @ shapes.generator.rotation[0]).item() > 0.9
    assert asked.findings["fit"]["shift_x"]["explained"] > 0.7
    # one unit is a tenth of the side; x is drawn at tanh(u) / 4 of it
    codes = shapes.sample(64, torch.Generator().manual_seed(2))
    moved = paths.shift(codes.latents, torch.zeros(64, dtype=torch.long), torch.full((64,), 0.5))
    x = [torch.tanh(shapes.generator.factors(z)[:, 0]) / 4 for z in (codes.latents, moved)]
    assert (x[1] - x[0]).mean().item() == pytest.approx(0.05, rel=0.4)


def test_latents_stay_in_the_ball_of_the_prior(shapes):
    method = TrajectoryMethod(**OPTIONS | {"lr": 2.0})
    codes = shapes.sample(16, torch.Generator().manual_seed(1))
    unit = torch.zeros(len(NAMES))
    unit[0] = 1.0
    radius = torch.linalg.vector_norm(method.follow(shapes, codes, unit).points, dim=2)
    assert (radius <= torch.linalg.vector_norm(codes.latents, dim=1).clamp_min(7**0.5) + 1e-4).all()


def test_a_known_factor_is_fitted_exactly():
    """Amounts are a bent function of one coordinate; the worst points say something else."""
    rng = torch.Generator().manual_seed(0)
    start, end = torch.randn(60, 5, generator=rng), torch.randn(2, 60, 5, generator=rng)
    factor = lambda z: z[..., 2] + 0.2 * z[..., 2].clamp_min(0).square()  # noqa: E731
    errors = torch.rand(2, 60, generator=rng)
    end[errors > errors.quantile(0.9)] += 5
    method = TrajectoryMethod(**OPTIONS | {"drop": 0.1, "smoothness": 0.01})
    # a trajectory has one amount for all: as many of one latent and two points as there are latents
    found = [
        Trajectories(
            start[i : i + 1],
            end[j : j + 1, i : i + 1],
            factor(end[j, i : i + 1]) - factor(start[i : i + 1]),
            errors[j : j + 1, i : i + 1],
        )
        for i in range(60)
        for j in range(2)
    ]
    path, explained = method.calibrate(torch.zeros(5), 5.0, found)
    assert path.directions()[0, 2] > 0.97 and explained > 0.95
    slopes = path.log_slopes[0].exp()
    assert slopes[65] > slopes[40]  # at c = 1.5 and at c = -1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "method.num_trajectories must be at least 4, steps and iterations 1"),
        ({"drop": 1.0}, r"drop in \[0, 1\), got 24, 3, 15, 1.0, 0.05 and 1.0"),
    ],
)
def test_errors_are_one_line(options, message):
    with pytest.raises(ValueError, match=message) as error:
        TrajectoryMethod(**OPTIONS | options)
    assert "\n" not in str(error.value)
