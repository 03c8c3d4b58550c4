"""The two terms that ask different paths to change an image differently, where the truth is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from latent_lab.gans.shapes import Shapes
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.reconstructor_training import Objective, ReconstructorTraining
from latent_lab.ops.jacobian import pullback_metric
from latent_lab.ops.streams import POOL, stream
from latent_lab.paths.base import Paths
from latent_lab.paths.curvilinear import CurvilinearPaths
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.rbf import RBFPaths
from latent_lab.reconstructors.lenet import LeNetReconstructor

D = 7


@pytest.fixture
def space() -> LatentSpace:
    return Shapes(mixing=0.0, resolution=16).space()


def straight(matrix: torch.Tensor) -> LinearPaths:
    paths = LinearPaths(*matrix.shape, "free")
    paths.weight.data = matrix.clone()
    return paths


def truth(space: LatentSpace) -> LinearPaths:
    return straight(space.generator.rotation.mT)


def random_basis(seed: int) -> LinearPaths:
    return straight(torch.linalg.qr(torch.randn(D, D, generator=torch.Generator().manual_seed(seed)))[0])


def training(
    space: LatentSpace,
    paths: Paths,
    objective: Objective | None = None,
    reconstructor: nn.Module | None = None,
    **changed,
):
    options = dict(
        amounts=(0.5, 2.0),
        batch_size=16,
        lr_paths=1e-3,
        lr_reconstructor=1e-3,
        lr_decay=0.0,
        seed=0,
        validation=None,
        attributes=None,
    )
    options |= (
        dict(orthogonality_paths=paths.num_paths, orthogonality_step=0.15, pool=64, validation_batches=1) | changed
    )
    objective = objective or Objective(orthogonality=1.0, contrast=1.0)
    module = ReconstructorTraining(space, paths, reconstructor or nn.Identity(), objective, **options)
    module.on_fit_start()
    return module


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def orthogonality(module: ReconstructorTraining, num: int = 32) -> torch.Tensor:
    codes = module.space.sample(num, rng(5))
    return module.orthogonality(codes, module.space.decode(codes), rng())


def contrast(module: ReconstructorTraining) -> torch.Tensor:
    return module.contrast(rng())


@pytest.mark.parametrize("seed", range(3))
def test_the_true_factors_are_nearly_orthogonal_and_a_random_basis_is_not(seed, space):
    true, other = training(space, truth(space)), training(space, random_basis(seed))
    assert 0 <= orthogonality(true) < 0.03 and orthogonality(other) > 0.1
    assert 0 <= contrast(true) < 0.1 and contrast(other) > 0.5


def test_paths_that_coincide_have_the_largest_terms(space):
    """All cosines are 1: the matrix has the eigenvalues K and K - 1 times 0, to which 1e-4 is added."""
    module = training(space, straight(torch.ones(D, 4)))
    assert orthogonality(module).item() == pytest.approx(1, abs=1e-3)
    assert contrast(module).item() == pytest.approx(-(math.log(4) + 3 * math.log(1e-4)) / 4, rel=0.01)


def test_opposite_paths_coincide(space):
    column = truth(space).weight.detach()[:, :1]
    module = training(space, straight(torch.cat([column, -column], 1)), orthogonality_step=0.01)
    assert orthogonality(module) > 0.95 and contrast(module) > 1


@pytest.mark.parametrize("degrees", [90, 60, 20])
def test_the_contrast_of_two_paths_by_hand(degrees, space):
    """With the identity for a metric the image changes are the directions: the determinant is 1 - cos^2."""
    angle = math.radians(degrees)
    matrix = torch.zeros(D, 2)
    matrix[0, 0], matrix[0, 1], matrix[1, 1] = 5.0, 0.1 * math.cos(angle), 0.1 * math.sin(angle)
    module = training(space, straight(matrix))
    module.pool_metric = torch.eye(D).expand(64, D, D)
    assert contrast(module).item() == pytest.approx(-math.log(math.sin(angle) ** 2) / 2, abs=1e-3)


def test_the_orthogonality_of_small_moves_by_hand(space):
    module = training(space, random_basis(0))
    codes = space.sample(1, rng(5))
    before = space.decode(codes)
    moves = [
        space.decode(codes.moved(codes.latents + sign * 0.15 * module.paths.matrix().mT)) - before for sign in (1, -1)
    ]
    expected = []
    for change in moves:
        direction = torch.nn.functional.normalize(change.flatten(1), dim=1)
        cosines = direction @ direction.mT
        expected.append(cosines[~torch.eye(D, dtype=torch.bool)].square().mean().item())
    assert min(abs(module.orthogonality(codes, before, rng()).item() - value) for value in expected) < 1e-5


@pytest.mark.parametrize("num, paths", [(32, 2), (32, 7), (1, 7), (3, 3)])
def test_some_paths_from_some_latents_are_enough(num, paths, space, monkeypatch):
    """The decodes are those of about two batches."""
    module, decoded, decode = training(space, random_basis(0), orthogonality_paths=paths), [], space.decode
    codes = space.sample(num, rng(5))
    before = decode(codes)
    monkeypatch.setattr(space, "decode", lambda codes: decoded.append(len(codes)) or decode(codes))
    value = module.orthogonality(codes, before, rng())
    assert 0 < value < 1
    assert decoded == [min(num, max(1, 2 * num // paths)) * paths]


def test_more_compared_paths_than_there_are_means_all(space):
    module = training(space, straight(torch.eye(D)[:, :3]), orthogonality_paths=50)
    assert module.orthogonality_paths == 3 and 0 <= orthogonality(module) < 1


@pytest.mark.parametrize("term", [orthogonality, contrast])
@pytest.mark.parametrize(
    "make, names",
    [
        (lambda: LinearPaths(D, 4, rng=rng()), {"weight"}),
        (lambda: RBFPaths(D, 4, num_dipoles=4, rng=rng()), {"supports", "log_gammas"}),
        (
            lambda: CurvilinearPaths(D, 4, layers=1, width=8, rng=rng()),
            {"flow.skew", "flow.layers.0.hyper.4.weight", "flow.layers.0.hyper.4.bias"},
        ),
    ],
    ids=["linear", "rbf", "coupling"],
)
def test_gradients_flow_to_the_paths(make, names, term, space):
    """Of a coupling network that starts at 0, to its last layer."""
    paths = make()
    term(training(space, paths)).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in paths.parameters())
    assert {name for name, p in paths.named_parameters() if p.grad is not None and p.grad.any()} == names
    assert all(p.grad is None for p in space.generator.parameters())


@pytest.mark.parametrize("term", [orthogonality, contrast])
def test_a_descent_of_the_term_leads_to_orthogonal_changes(term, space):
    paths = LinearPaths(D, 3, rng=rng(1))
    module = training(space, paths, batch_size=32)
    optimiser = torch.optim.Adam(paths.parameters(), 0.05)
    first = term(module).item()
    for _ in range(25):
        optimiser.zero_grad()
        loss = term(module)
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.5 * first


def test_length_and_sign_of_a_path_do_not_count(space):
    basis = random_basis(0).weight.detach()
    scaled = basis * torch.tensor([2.0, -1, 0.5, 1, 1, -3, 1])
    torch.testing.assert_close(
        contrast(training(space, straight(scaled))), contrast(training(space, straight(basis))), rtol=1e-3, atol=1e-4
    )


def test_the_pool_is_a_function_of_the_seed_and_holds_the_metric_of_its_latents(space):
    one, same, other = (training(space, random_basis(0), seed=seed) for seed in (3, 3, 4))
    codes = space.sample(64, stream(3, 0, 0, POOL))
    assert torch.equal(one.pool_latents, codes.latents) and torch.equal(one.pool_metric, pullback_metric(space, codes))
    assert torch.equal(one.pool_latents, same.pool_latents) and not torch.equal(one.pool_latents, other.pool_latents)


def test_without_contrast_no_pool_is_measured(space):
    assert not hasattr(training(space, random_basis(0), Objective(orthogonality=1.0)), "pool_metric")


def test_the_loss_holds_each_term_by_its_weight(monkeypatch):
    space = Shapes().space()  # LeNet needs 32 pixels
    found = {}
    for weights in ((0.0, 0.0), (2.0, 0.0), (0.0, 3.0), (2.0, 3.0)):
        torch.manual_seed(0)
        objective = Objective(orthogonality=weights[0], contrast=weights[1])
        module, shown = training(space, random_basis(0), objective, LeNetReconstructor(3, D)), {}
        monkeypatch.setattr(module, "log_dict", lambda values, **_: shown.update(values))  # noqa: B023
        loss = module.training_step(torch.tensor([0]), 0)
        assert {"train/orthogonality", "train/contrast"} & set(shown) == {
            f"train/{name}" for name, weight in zip(("orthogonality", "contrast"), weights) if weight
        }
        expected = sum(
            weight * shown[f"train/{name}"] for name, weight in zip(("orthogonality", "contrast"), weights) if weight
        )
        found[weights] = loss.item() - float(expected)
    assert list(found.values()) == pytest.approx([found[0.0, 0.0]] * 4, abs=1e-4)


@pytest.mark.parametrize("term", ["orthogonality", "contrast"])
def test_one_path_has_nothing_to_be_orthogonal_to(term, space):
    with pytest.raises(
        ValueError, match="objective.orthogonality and objective.contrast must be 0 with one path"
    ) as error:
        training(space, straight(torch.eye(D)[:, :1]), Objective(**{term: 0.1}))
    assert "\n" not in str(error.value)


def test_one_path_without_the_terms_is_trained(space):
    assert training(space, straight(torch.eye(D)[:, :1]), Objective()).paths.num_paths == 1


@pytest.mark.parametrize("weight", [-0.1, math.nan])
@pytest.mark.parametrize("name", ["orthogonality", "contrast"])
def test_weights_are_at_least_0(name, weight):
    with pytest.raises(ValueError, match=f"objective.{name} must be at least 0, got {weight}"):
        Objective(**{name: weight})
