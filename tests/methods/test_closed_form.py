"""Closed-form methods against dense computations in float64, and against known factors."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
import torch.nn.functional as F

from latent_lab.errors import NotApplicable
from latent_lab.gans.shapes import Shapes
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.methods.base import Context
from latent_lab.methods.ganspace import GANSpace
from latent_lab.methods.lowrankgan import LowRankGAN, find_principal_space, robust_pca
from latent_lab.methods.resefa import ReSeFa
from latent_lab.methods.sefa import SeFa
from latent_lab.ops.jacobian import metric_product
from latent_lab.ops.region import region_masks
from latent_lab.ops.streams import TRAINING, stream
from latent_lab.paths.layerwise import LayerwisePaths
from latent_lab.paths.local import generalised_directions

pytestmark = pytest.mark.usefixtures("spoken")

CORNER = [0.0, 0.0, 0.1, 0.1]  # the ellipse does not come here: only the ground's factor is seen


@pytest.fixture
def context(rng) -> Context:
    return Context(trainer=None, seed=3, rng=rng)


@pytest.fixture
def style() -> StyleGAN2:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return StyleGAN2(latent_dim=6, style_dim=6, widths=[8, 8], mapping_layers=2)


@pytest.fixture
def shapes():
    return Shapes(mixing=0.0).space()


def cosines(found: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    """Of the columns one by one, whatever their lengths and signs."""
    return (F.normalize(found.double(), dim=0) * F.normalize(expected.double(), dim=0)).sum(0).abs()


def truth(space) -> torch.Tensor:
    return space.generator.rotation.mT  # a factor's direction in a column, strongest first


def test_sefa_finds_the_factors_of_shapes(shapes, context):
    paths = SeFa(num_paths=7).fit(shapes, context)
    assert cosines(paths.matrix(), truth(shapes)).min() > 0.999
    torch.testing.assert_close(paths.matrix().norm(dim=0), torch.ones(7))


def test_ganspace_finds_the_factors_of_shapes(shapes, context):
    paths = GANSpace(num_paths=7, samples=20000).fit(shapes, context)
    assert cosines(paths.matrix(), truth(shapes)).min() > 0.99
    torch.testing.assert_close(paths.matrix().norm(dim=0), torch.ones(7), rtol=0.05, atol=0)  # standard deviations


@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_resefa_finds_the_one_factor_of_a_region_of_shapes(shapes, context, tau, capsys):
    paths = ReSeFa(tau, num_paths=3, region=CORNER, samples=16, held_out=4).fit(shapes, context)
    ground = Shapes.factor_names.index("background")
    assert cosines(paths.matrix()[:, 0], truth(shapes)[:, ground]).item() > 0.95
    printed = capsys.readouterr().out
    first, rest = printed.split("paths ")[1].split("; random directions ")
    assert float(first.split(",")[0]) > 5 * float(rest)


def test_sefa_does_not_apply_to_style_vectors(style, context):
    with pytest.raises(
        NotApplicable, match="gan.space must be z, w or w\\+ where the first weights are asked for, got 's'"
    ):
        SeFa(num_paths=2).fit(style.space("s"), context)


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("name, layers", [("z", None), ("w", None), ("w+", "1-2")])
def test_sefa_is_the_singular_vectors_of_the_first_weights(style, context, name, layers, normalise):
    paths = SeFa(4, layers, normalise).fit(style.space(name), context)
    weights = style.first_weights(name)
    matrix = np.concatenate([weight.detach().double().numpy() for weight in (weights[1:3] if layers else weights)])
    if normalise:
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    expected = torch.from_numpy(np.linalg.svd(matrix)[2][:4].T)
    base = paths.base if name == "w+" else paths
    assert isinstance(paths, LayerwisePaths) == (name == "w+")
    assert cosines(base.matrix(), expected).min() > 1 - 1e-6
    assert (base.matrix().abs().amax(0) == base.matrix().amax(0)).all()  # the same signs in every run


@pytest.mark.parametrize("name", ["w", "w+"])
def test_ganspace_is_the_pca_of_the_styles(style, context, name):
    space = style.space(name)
    paths = GANSpace(num_paths=3, samples=500, batch_size=120, layers="0-1" if name == "w+" else None).fit(
        space, context
    )
    codes = [space.sample(min(120, 500 - start), stream(3, 0, start, TRAINING)).latents for start in range(0, 500, 120)]
    w = torch.cat(codes).double() if name == "w" else torch.cat(codes)[:, 0].double()
    _, deviations, axes = torch.linalg.svd((w - w.mean(0)) / 500**0.5, full_matrices=False)
    matrix = (paths.base if name == "w+" else paths).matrix()
    assert cosines(matrix, axes[:3].mT).min() > 1 - 1e-6
    torch.testing.assert_close(matrix.norm(dim=0), deviations[:3].float())


def test_ganspace_regresses_activations_back(space, context):
    paths = GANSpace(num_paths=4, samples=300, activations="blocks.0", batch_size=100).fit(space, context)
    batches = [space.sample(100, stream(3, 0, start, TRAINING)) for start in (0, 100, 200)]
    z = torch.cat([codes.latents for codes in batches]).double()
    y = torch.cat([space.activations(codes, ["blocks.0"])["blocks.0"].flatten(1) for codes in batches]).double()
    _, singular, axes = torch.linalg.svd(y - y.mean(0), full_matrices=False)
    deviations = singular[:4] / 300**0.5
    components = (y - y.mean(0)) @ axes[:4].mT
    regression = torch.linalg.lstsq(components, z - z.mean(0)).solution.mT * deviations
    assert cosines(paths.matrix(), regression).min() > 1 - 1e-5
    torch.testing.assert_close(paths.matrix().norm(dim=0).double(), regression.norm(dim=0), rtol=1e-4, atol=0)


def test_ganspace_does_not_depend_on_the_batch(style, context):
    one = GANSpace(num_paths=6, samples=200, batch_size=200).fit(style.space("w"), context)
    with pytest.raises(ValueError, match="method.samples must be at least 2 and batch_size at least 1, got 1 and 1000"):
        GANSpace(num_paths=2, samples=1)
    again = GANSpace(num_paths=6, samples=200, batch_size=200).fit(style.space("w"), context)
    assert torch.equal(one.matrix(), again.matrix())


@pytest.fixture
def metrics(rng):
    """A foreground of rank 5 and a background of full rank."""
    one, other = (torch.randn(9, size, generator=rng, dtype=torch.float64) for size in (5, 20))
    return one @ one.mT, other @ other.mT


def test_the_pencil_is_scipys(metrics):
    foreground, background = metrics
    regularised = background + 0.1 * background.diagonal().mean() * torch.eye(9)
    _, vectors = scipy.linalg.eigh(foreground.numpy(), regularised.numpy())
    found = generalised_directions(foreground, background, 0.1)
    assert cosines(found[:, :5], torch.from_numpy(vectors[:, ::-1].copy())[:, :5]).min() > 1 - 1e-9
    torch.testing.assert_close(found.norm(dim=0), torch.ones(9).double())


def test_resefa_is_the_pencil_of_the_samples_mean(style, context):
    space = style.double().space("w+")
    space.sample = lambda num, rng, sample=space.sample: (codes := sample(num, rng)).moved(codes.latents.double())
    paths = ReSeFa(0.5, num_paths=4, region=[0.0, 0.0, 0.5, 0.5], samples=3, layers=[0, 2], held_out=1).fit(
        space, context
    )
    codes = space.sample(3, stream(3, 0, 0, TRAINING))
    masks = region_masks([0.0, 0.0, 0.5, 0.5], space, codes)
    foreground, background = metric_product(space, codes, torch.eye(6).double(), masks, [0, 2])
    expected = generalised_directions(foreground / 16, background / 48, 0.5)[:, :4]
    assert paths.layers == [0, 2] and cosines(paths.base.matrix(), expected).min() > 1 - 1e-5


def test_a_rank_of_all_directions_changes_nothing(space, context):
    options = dict(num_paths=3, region=[0.0, 0.0, 0.5, 1.0], samples=2, held_out=1)
    whole = ReSeFa(0.5, **options).fit(space, context)
    ranked = ReSeFa(0.5, rank=16, **options).fit(space, context)
    assert cosines(ranked.matrix(), whole.matrix()).min() > 0.99


def test_robust_pca_parts_a_low_rank_matrix_from_spikes(rng):
    factor = torch.randn(30, 2, generator=rng, dtype=torch.float64)
    spikes = torch.zeros(30, 30, dtype=torch.float64)
    spikes[3, 20] = spikes[20, 3] = 25.0
    low, sparse = robust_pca(factor @ factor.mT + spikes, 1 / 30**0.5)
    torch.testing.assert_close(low, factor @ factor.mT, rtol=0, atol=1e-4)
    torch.testing.assert_close(sparse, spikes, rtol=0, atol=1e-4)
    vectors, rank = find_principal_space(factor @ factor.mT + spikes, 1.0)
    assert rank == 2 and (vectors[:, :2].mT @ torch.linalg.qr(factor)[0]).square().sum() > 2 - 1e-6


def test_lowrankgan_lies_in_the_null_space_of_the_rest(rng):
    """The region reads three axes, the rest four others and the third of them, whose projection is nothing."""
    basis = torch.linalg.qr(torch.randn(12, 12, generator=rng, dtype=torch.float64))[0]
    strengths = torch.tensor([3.0, 2.0, 1.0, 1.5, 1.5, 1.5]).double()
    scaled = basis[:, :6] * strengths.sqrt()
    foreground, background = (scaled[:, part] @ scaled[:, part].mT for part in (slice(0, 3), slice(2, 6)))
    method = LowRankGAN(sparsity=5.0, num_paths=12, region=CORNER, samples=1)
    found = method.find_directions(foreground, background)
    assert found.shape == (12, 2)
    torch.testing.assert_close(background @ found, torch.zeros(12, 2).double(), rtol=0, atol=1e-6)
    assert cosines(found, basis[:, :2]).min() > 1 - 1e-6


def test_what_cannot_be_factorised_is_said(shapes, space, style, context, metrics):
    foreground, background = metrics
    with pytest.raises(
        ValueError, match=r"method.tau must be above 0 where some directions do not change .* got tau=0"
    ):
        generalised_directions(background, foreground, 0.0)
    with pytest.raises(ValueError, match="nothing changes outside the region"):
        generalised_directions(foreground, 0 * background, 0.5)
    with pytest.raises(
        ValueError, match="method.sparsity must leave the region's metric a part of low rank, got 0.001"
    ):
        LowRankGAN(0.001, num_paths=2, region=CORNER, samples=1).find_directions(foreground, background)
    with pytest.raises(ValueError, match="method.relax must leave the rest of the image a null space: 9 of 9"):
        LowRankGAN(9.0, num_paths=2, region=CORNER, samples=1).find_directions(foreground, background)
    with pytest.raises(ValueError, match="method.num_paths must be from 1 to the latent's size 7, got 8"):
        SeFa(8).fit(shapes, context)
    with pytest.raises(ValueError, match="method.num_paths must be at most the latent's size 7, got 8"):
        ReSeFa(0.5, num_paths=8, region=CORNER, samples=1).fit(shapes, context)
    with pytest.raises(
        ValueError, match="method.num_paths must be from 1 to the 2 directions in which 3 samples vary, got 4"
    ):
        GANSpace(4, 3).fit(shapes, context)
    with pytest.raises(ValueError, match="method.activations must name an output of at most 8192 numbers, got"):
        GANSpace(4, 10, "blocks").fit(type(space.generator)(8, [8, 8, 8, 16]).space(), context)
    for method in (
        SeFa(2, "0-1"),
        GANSpace(2, 10, layers=0),
        ReSeFa(0.5, num_paths=2, region=CORNER, samples=1, layers=[0]),
    ):
        with pytest.raises(ValueError, match=r"method.layers needs gan.space=w\+"):
            method.fit(space, context)
    with pytest.raises(ValueError, match="from 0 to 3 of this generator, got '3-4'"):
        SeFa(2, "3-4").fit(style.space("w+"), context)
