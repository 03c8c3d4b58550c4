"""The Python face: what the commands do, without configurations and without Hydra."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import latent_lab
from latent_lab.api import (
    Subject,
    discover,
    edit,
    evaluate,
    invert,
    load_generator,
    load_predictors,
    load_protocol,
)
from latent_lab.errors import NotApplicable

pytestmark = pytest.mark.slow


SMALL = {"num_paths": 2, "num_latents": 8, "prior_latents": 16, "ranking_latents": 2, "matrix_latents": 2}


@pytest.fixture(scope="module")
def space():
    return load_generator("sngan_mnist").space("z")


@pytest.fixture(scope="module")
def paths(space):
    return discover("sefa", space, num_paths=3)


def test_hydra_is_not_needed():
    code = "import sys, latent_lab.api; sys.exit('hydra' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_public_classes_are_imported_from_their_packages():
    from latent_lab import paths
    from latent_lab.gans import StyleGAN2
    from latent_lab.paths import LinearPaths

    assert LinearPaths.__module__ == "latent_lab.paths.linear" and StyleGAN2.__name__ in latent_lab.gans.__all__
    with pytest.raises(AttributeError, match="module 'latent_lab.paths' has no attribute 'Nothing'"):
        paths.Nothing  # noqa: B018


def test_the_root_names_only_what_is_no_module():
    assert latent_lab.__all__ == ["discover", "load_generator", "load_run"]
    assert latent_lab.discover is discover


def test_a_training_is_repeated_by_its_seed(space):
    one, other, another = (
        discover("linear", space, steps=2, seed=seed, num_paths=3, batch_size=4) for seed in (0, 0, 1)
    )
    assert torch.equal(one.matrix(), other.matrix()) and not torch.equal(one.matrix(), another.matrix())


def test_paths_are_scored(space, paths):
    attributes, identity = load_predictors("mnist")
    found = evaluate(Subject(space, paths, attributes, identity), load_protocol("fast", "mnist", **SMALL))
    scores = {score.name: score for score in found.scores}
    assert 0 <= scores["selectivity/0.5"].value <= 1 and scores["commutativity/swap/latents"].value < 1e-5
    assert found.main_score() == scores["selectivity/0.5"].value


def test_an_inversion_brings_an_image_back_and_an_edit_moves_it(space, paths):
    images = space.decode(space.sample(2, torch.Generator().manual_seed(0)))
    codes = invert(images, space, steps=60, pixels=1.0).codes
    far = space.decode(space.sample(2, torch.Generator().manual_seed(1)))
    assert (space.decode(codes) - images).square().mean() < 0.5 * (far - images).square().mean()
    edited = edit(space, paths, codes, {0: 3.0, 2: -1.0})
    other = edit(space, paths, codes, {2: -1.0, 0: 3.0})
    torch.testing.assert_close(edited.latents, other.latents)  # straight edits commute
    assert (space.decode(edited) - space.decode(codes)).abs().mean() > 1e-3
    torch.testing.assert_close(edit(space, paths, edited, {0: -3.0, 2: 1.0}).latents, codes.latents)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda space, paths: discover("seffa", space), r"method must be one of \['curvilinear', .*\], got 'seffa'"),
        (
            lambda space, paths: discover("sefa", space, paths=2),
            "method=sefa has no option 'paths'; nearest: .*num_paths",
        ),
        (
            lambda space, paths: edit(space, paths, space.sample(1, torch.Generator()), {3: 1.0}),
            "from 0 to 2, .*, got 3",
        ),
        (lambda space, paths: edit(space, paths, space.sample(1, torch.Generator()), {"age": 1}), "with run=<folder>"),
        (
            lambda space, paths: invert(torch.zeros(1, 3, 8, 8), space),
            r"images must be \(N, 1, 32, 32\), got \(1, 3, 8, 8\)",
        ),
        (lambda space, paths: load_predictors("mnits"), r"dataset must be one of \[.*'mnist'.*\], got 'mnits'"),
    ],
)
def test_errors_name_the_argument_and_what_is_allowed(make, message, space, paths):
    with pytest.raises(ValueError, match=message):
        make(space, paths)


def test_a_method_that_does_not_apply_says_so(space):
    with pytest.raises(NotApplicable, match="attributes guide this one"):
        discover("interfacegan", space)
