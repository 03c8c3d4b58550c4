"""The oracles find directions that are known: on a linear generator, and where an edit starts."""

from __future__ import annotations

import pytest
import torch
import yaml

from latent_lab import load_generator, load_run
from latent_lab.attributes.factors import TrueFactors
from latent_lab.evaluation.subject import Subject
from latent_lab.gans.shapes import Shapes
from latent_lab.installation import read_choice
from latent_lab.methods.base import Context
from latent_lab.methods.oracle_local import OracleLocal
from latent_lab.methods.oracle_straight import OracleStraight, climb, principal_axes, regression_directions
from latent_lab.ops.jacobian import attribute_jacobian
from latent_lab.paths.oracle_local import OracleLocalPaths, ridge_inverse
from latent_lab.runs import Run, hash_weights


@pytest.fixture
def space():
    return Shapes(mixing=0.5, resolution=16).space()


@pytest.fixture
def attributes(space):
    return TrueFactors()


@pytest.fixture
def context(rng, attributes, monkeypatch):
    context = Context(trainer=None, seed=0, rng=rng)
    monkeypatch.setattr(Context, "require_attributes", lambda self, names: attributes)
    return context


def test_derivatives_are_those_of_the_factors(space, attributes, rng):
    codes = space.sample(3, rng)
    found = attribute_jacobian(space, codes, attributes, torch.eye(7), step=1e-2)
    expected = torch.func.vmap(torch.func.jacrev(lambda z: space.generator.factors(z[None])[0]))(codes.latents)
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2 * expected.abs().max().item())


def test_a_pseudo_inverse_is_regularised(rng):
    matrix = torch.randn(5, 3, 8, generator=rng, dtype=torch.float64)
    unit = torch.eye(3, dtype=torch.float64).expand(5, 3, 3)
    torch.testing.assert_close(matrix @ ridge_inverse(matrix, 1e-12), unit)
    torch.testing.assert_close(ridge_inverse(matrix, 1e-12), torch.linalg.pinv(matrix))
    assert (ridge_inverse(matrix, 0.1).norm(dim=1) < torch.linalg.pinv(matrix).norm(dim=1)).all()
    torch.testing.assert_close(ridge_inverse(5 * matrix, 0.1), ridge_inverse(matrix, 0.1) / 5)
    assert not ridge_inverse(torch.zeros(3, 8), 0.1).any()


def test_the_regression_of_a_linear_attribute_is_its_pseudo_inverse(rng):
    matrix = torch.randn(3, 8, generator=rng, dtype=torch.float64)
    samples = torch.randn(500, 8, generator=rng, dtype=torch.float64)
    found = regression_directions(samples, samples @ matrix.mT + 2, 1e-12)
    torch.testing.assert_close(found, torch.linalg.pinv(matrix).mT)


def test_the_climb_finds_directions_without_side_effects(rng):
    """Where all latents have the same derivatives, the pseudo-inverse changes one attribute alone."""
    matrix = torch.randn(1, 2, 6, generator=rng, dtype=torch.float64).expand(10, -1, -1)
    found, shares = climb(matrix, matrix[0], margin=0.0, steps=2000, lr=1e-2)
    torch.testing.assert_close(shares, torch.ones(2, dtype=torch.float64), rtol=0, atol=2e-2)
    changes = matrix[0] @ found.mT
    torch.testing.assert_close(changes, torch.eye(2, dtype=torch.float64), rtol=0, atol=3e-2)


def test_principal_axes_make_the_samples_white(rng):
    latents = torch.randn(4000, 5, generator=rng) * torch.tensor([1.0, 3.0, 0.1, 2.0, 5.0])
    axes = principal_axes(latents, 3)
    torch.testing.assert_close((latents @ torch.linalg.pinv(axes).mT).mT.cov(), torch.eye(3), rtol=0, atol=1e-4)
    assert torch.equal(principal_axes(latents, None), torch.eye(5))
    with pytest.raises(ValueError, match="method.rank must be from 1 to the 5 directions"):
        principal_axes(latents, 6)


def test_straight_directions_beat_those_that_they_start_from(space, context, attributes):
    def share(latents: int) -> torch.Tensor:
        paths = OracleStraight(None, 2000, latents, margin=0.0).fit(space, context)
        codes = space.sample(200, torch.Generator().manual_seed(9))
        found = attribute_jacobian(space, codes, attributes, paths.matrix())
        own = found.diagonal(dim1=1, dim2=2).clamp_min(0)
        return (own / found.abs().sum(1)).mean()

    assert share(100) > share(0) > 0.2


def test_local_directions_change_one_factor_at_their_image(space, context, attributes, rng):
    paths = OracleLocal(None, 500, tau=1e-6, step=1e-2).fit(space, context)
    codes = paths.anchor(space, space.sample(4, rng))
    k = torch.arange(4)
    moved = paths.shift(codes.latents, k, torch.full((4,), 0.02), codes.given)
    change = (space.generator.factors(moved) - space.generator.factors(codes.latents)) / paths.deviations
    torch.testing.assert_close(change / 0.02, torch.eye(7)[:4], rtol=0, atol=0.1)


def test_local_paths_ask_for_their_predictor(space, context, attributes, rng):
    fitted = OracleLocal(None, 100).fit(space, context)
    paths = OracleLocalPaths(**fitted.config)
    paths.load_state_dict(fitted.state_dict())
    assert set(paths.state_dict()) == {"axes", "deviations"}
    codes = space.sample(2, rng)
    with pytest.raises(ValueError, match="method=oracle_local: measures .* call paths.bind"):
        paths.anchor(space, codes)
    Subject(space, paths, attributes)
    bound = paths.anchor(space, codes).given["directions"]
    assert torch.equal(bound, fitted.anchor(space, codes).given["directions"])


def test_a_loaded_run_knows_its_predictor(space, context, rng, tmp_path):
    """The data set of the run's configuration measures; nothing has to be bound by hand."""
    parts = {"gan": read_choice("gan", "shapes"), "dataset": read_choice("dataset", "shapes"), "seed": 0}
    made = load_generator("shapes").space()
    paths = OracleLocal(None, 100).fit(made, context)
    run = Run.create(tmp_path / "run", yaml.safe_dump(parts))
    about = {"generator": hash_weights(made.generator), "gan": "shapes", "space": made.name, "seed": 0}
    run.save_paths(paths, about)
    again, loaded, _ = load_run(run.folder)
    codes = made.sample(2, rng)
    found = loaded.anchor(again, codes).given["directions"]
    torch.testing.assert_close(found, paths.anchor(made, codes).given["directions"])
