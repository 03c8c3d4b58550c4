"""Methods that train paths by an objective of their own: LatentCLR, the Hessian Penalty, potential flows,
NeuralODEs."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from latent_lab.attributes.base import Attributes, Selection
from latent_lab.attributes.factors import TrueFactors
from latent_lab.errors import NotApplicable
from latent_lab.gans.base import Generator
from latent_lab.gans.codes import Codes
from latent_lab.gans.shapes import Shapes
from latent_lab.gans.space import LatentSpace
from latent_lab.gans.stylegan2 import StyleGAN2
from latent_lab.methods.base import Context, Method
from latent_lab.methods.hessian_penalty import HessianPenalty
from latent_lab.methods.latentclr import LatentCLR, contrast
from latent_lab.methods.neural_ode import NeuralODE
from latent_lab.methods.path_training import features_of
from latent_lab.methods.pde import PotentialFlow, compute_wave_residuals
from latent_lab.paths.base import Paths
from latent_lab.paths.layerwise import LayerwisePaths
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.potential import PotentialPaths
from latent_lab.reconstructors.lenet import LeNetReconstructor

pytestmark = pytest.mark.slow


D = 5


class Quadratic(Generator):
    """Pixels are a random mixture of functions of the coordinates of a rotated latent, one function of one coordinate
    each."""

    spaces, resolution, channels = ("z",), 4, 1

    def __init__(self, curved: bool = True) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(3)
        self.curved = curved
        self.register_buffer("rotation", torch.linalg.qr(torch.randn(D, D, generator=rng, dtype=torch.float64))[0])
        self.register_buffer("mixture", torch.randn(16, D, generator=rng, dtype=torch.float64))
        self.coordinates = nn.Identity()

    def latent_shape(self, space: str) -> tuple[int, ...]:
        return (D,)

    def first_weights(self, space: str) -> list[Tensor]:
        return [self.rotation]

    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float = 1.0) -> Codes:
        return Codes(torch.randn(num, D, generator=rng))

    def decode(self, space: str, codes: Codes) -> Tensor:
        u = codes.latents.to(self.rotation) @ self.rotation
        return (self.coordinates(u.square() + u if self.curved else u) @ self.mixture.mT).unflatten(1, (1, 4, 4))


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def space(curved: bool = True) -> LatentSpace:
    return Quadratic(curved).space()


def context(steps: int, attributes=None, **options) -> Context:
    quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    trainer = pl.Trainer(accelerator="cpu", max_steps=steps, max_epochs=-1, **quiet, **options)
    return Context(
        trainer,
        0,
        rng(),
        measures=lambda names: attributes if names is None else Selection(attributes, names),
    )


METHODS = {
    "latentclr": lambda: LatentCLR(3, "coordinates", (0.5, 2.0), 0.5, batch_size=4, lr=3e-2),
    "latentclr-field": lambda: LatentCLR(3, "coordinates", (0.5, 2.0), 0.5, batch_size=4, lr=3e-2, kind="field"),
    "hessian_penalty": lambda: HessianPenalty(D, None, reach=1.0, samples=2, step=0.1, batch_size=16, lr=3e-2),
    "pde": lambda: PotentialFlow(3, 3, True, partial(LeNetReconstructor), 1.0, batch_size=4, lr=1e-3),
    "neural_ode": lambda: NeuralODE(None, 1, 1.0, (0.5, 2.0), 1.0, 1.0, probe=64, batch_size=16, lr=1e-2),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_resumed_fit_ends_with_the_same_bits(name, tmp_path):
    made, attributes = Shapes(mixing=0.0, resolution=32).space(), TrueFactors()
    method: Method = METHODS[name]()
    method.feature = None  # of the other generator
    if name != "neural_ode":
        method.num_paths = 3

    class Save(pl.Callback):
        def on_train_batch_end(self, trainer, *rest) -> None:
            if trainer.global_step == 2:
                trainer.save_checkpoint(tmp_path / "half.ckpt")

    whole = method.fit(made, context(4, attributes, callbacks=[Save()]))
    resumed = context(4, attributes)
    resumed.checkpoint = tmp_path / "half.ckpt"
    again = method.fit(made, resumed)
    values, start = whole.state_dict(), method.fit(made, context(1, attributes)).state_dict()
    assert all(torch.equal(values[key], again.state_dict()[key]) and values[key].isfinite().all() for key in values)
    assert any(not torch.equal(values[key], start[key]) for key in values)
    rebuilt = type(whole)(**whole.config)
    rebuilt.load_state_dict(values)
    z, k, eps = made.sample(3, rng()).latents, torch.arange(3), torch.tensor([0.5, -1.5, 2.0])
    assert torch.equal(rebuilt.shift(z, k, eps), whole.shift(z, k, eps))


def test_the_contrast_is_its_formula():
    changes = torch.randn(3, 4, 6, generator=rng(), dtype=torch.float64)
    unit = changes / changes.norm(dim=2, keepdim=True)
    terms, right = [], 0
    for i in range(3):
        for k in range(4):
            near = [((unit[i, k] @ unit[j, k]).abs() / 0.5).exp() for j in range(3) if j != i]
            far = [((unit[i, k] @ unit[j, l]).abs() / 0.5).exp() for j in range(3) for l in range(4) if l != k]
            terms.append(-(sum(near) / len(near) / (sum(far) / len(far))).log())
            right += (sum(near) / len(near) > sum(far) / len(far)).item()
    found = contrast(changes, 0.5)
    torch.testing.assert_close(found["loss"], torch.stack(terms).mean())
    assert found["accuracy"].item() == pytest.approx(right / 12)


def test_latentclr_makes_the_changes_of_a_linear_generator_orthogonal():
    made = space(curved=False)
    before = LinearPaths(D, 3, "projective", rng=rng())
    after = METHODS["latentclr"]().fit(made, context(150))

    def cosines(paths: LinearPaths) -> Tensor:
        changes = nn.functional.normalize(made.generator.rotation.mT @ paths.matrix().detach().double(), dim=0)
        return (changes.mT @ changes - torch.eye(3)).abs().max()

    assert cosines(before) > 0.3 and cosines(after) < 0.05


def test_the_penalty_is_the_hessians_off_diagonal():
    made, directions = space(), torch.linalg.qr(torch.randn(D, D, generator=rng()))[0]
    method = HessianPenalty(D, None, reach=1.0, samples=2000, step=0.1, batch_size=2, lr=1e-2)
    found = method.compute_penalty(made, directions, made.sample(2, rng()), rng())
    turned = directions.mT.double() @ made.generator.rotation  # Hessians of a quadratic are the same everywhere
    hessians = 2 * torch.einsum("pm,im,jm->pij", made.generator.mixture, turned, turned)
    off = hessians - torch.diag_embed(hessians.diagonal(dim1=1, dim2=2))
    torch.testing.assert_close(found, 2 * off.square().sum((1, 2)).mean().float(), rtol=0.05, atol=0)
    assert method.compute_penalty(made, made.generator.rotation.float(), made.sample(2, rng()), rng()) < 1e-4 * found


def test_the_hessian_penalty_recovers_the_coordinates_that_pixels_are_functions_of():
    made = space()
    paths = METHODS["hessian_penalty"]().fit(made, context(300))
    assert isinstance(paths, LinearPaths) and paths.kind == "orthogonal"
    cosines = (paths.matrix().detach().double().mT @ made.generator.rotation).abs()
    assert cosines.max(1).values.min() > 0.98


def test_features_are_of_the_named_submodule():
    made, codes = space(), space().sample(2, rng())
    assert features_of(made, codes, None).shape == (2, 16) and features_of(made, codes, "coordinates").shape == (2, D)
    with pytest.raises(ValueError, match="names must be submodules of the generator"):
        features_of(made, codes, "blocks.7")


def test_the_residual_is_the_wave_equations():
    paths = PotentialPaths(D, 2, times=3, rng=rng()).double()
    speeds = torch.tensor([0.5, 2.0], dtype=torch.float64)
    z, k, t = (
        torch.randn(2, D, generator=rng(), dtype=torch.float64),
        torch.tensor([0, 1]),
        torch.tensor([0.3, 1.7]).double(),
    )
    probes = [axis.expand(2, D) for axis in torch.eye(D, dtype=torch.float64)]
    gradient, residuals = compute_wave_residuals(paths.potentials(k), speeds[k], z, t, probes)
    for i in range(2):

        def value(x: Tensor, path: Tensor = k[i : i + 1]) -> Tensor:
            return paths.potentials(path)(x[None, :D], x[D:])[0].squeeze()

        at = torch.cat([z[i], t[i : i + 1]])
        hessian = torch.autograd.functional.hessian(value, at)
        torch.testing.assert_close(gradient[i], torch.autograd.functional.jacobian(value, at)[:D])
        expected = D * hessian[D, D] - speeds[k[i]].square() * hessian[:D, :D].trace()
        torch.testing.assert_close(sum(residual[i] for residual in residuals), expected)


def test_potentials_can_be_told_apart_after_their_training():
    made = Shapes(mixing=0.0, resolution=32).space()
    method = PotentialFlow(2, 3, True, partial(LeNetReconstructor), 1.0, batch_size=16, lr=1e-2)
    seen = []
    terms = method.compute_terms
    method.compute_terms = lambda *arguments: seen.append(terms(*arguments)) or seen[-1]
    method.fit(made, context(60))
    accuracy, length = ([terms[name].item() for terms in seen] for name in ("accuracy", "length"))
    assert sum(accuracy[-10:]) > 7 and sum(length[-10:]) > 2 * sum(length[:10])


def test_a_neural_ode_changes_its_attribute_and_keeps_the_others():
    made, attributes = Shapes(mixing=0.0, resolution=8).space(), TrueFactors()
    paths: Paths = METHODS["neural_ode"]().fit(made, context(200, attributes))
    z, num = made.sample(32, rng()).latents, len(attributes.names)
    change = (
        made.generator.factors(paths.fan(z, 1.0).flatten(0, 1)).unflatten(0, (32, num))
        - made.generator.factors(z)[:, None]
    )
    mean = change.mean(0)  # of factor j by path k
    assert (mean.diagonal() > 0.4).all()
    assert (mean.diagonal() / mean.abs().sum(1)).mean() > 0.5  # 1 / 7 by chance


def test_a_neural_ode_needs_attributes_that_move_and_have_gradients():
    made = Shapes(mixing=0.0, resolution=8).space()

    class Frozen(TrueFactors):
        def measure(self, space: LatentSpace, codes: Codes, images: Tensor) -> Tensor:
            return super().measure(space, codes, images).detach()

    class Still(TrueFactors):
        def measure(self, space: LatentSpace, codes: Codes, images: Tensor) -> Tensor:
            return super().measure(space, codes, images) * torch.tensor([1.0, 0, 1, 1, 1, 1, 1])

    for error, attributes, message in (
        (NotApplicable, None, "method: attributes guide this one, and this dataset measures none"),
        (
            NotApplicable,
            Frozen(),
            r"method.attributes must be differentiable to train paths towards them, got \['x', 'y', ",
        ),
        (ValueError, Still(), "method.attributes: 'y' does not vary over 64 samples of the prior; leave it out"),
    ):
        with pytest.raises(error, match=message):
            METHODS["neural_ode"]().fit(made, context(1, attributes))


def test_a_neural_ode_has_a_path_for_each_of_its_attributes():
    made, method = Shapes(mixing=0.0, resolution=8).space(), METHODS["neural_ode"]()
    method.attributes = ["size", "hue"]
    assert method.fit(made, context(1, TrueFactors())).num_paths == 2


@pytest.fixture
def rows() -> LatentSpace:
    """w+ of a generator with 4 rows."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return StyleGAN2(latent_dim=D, style_dim=D, widths=[8, 8], mapping_layers=1).space("w+")


class Brightness(Attributes):
    """Mean and spread of the pixels."""

    names, units, ranges = ("mean", "spread"), ("grey", "grey"), ((-9.0, 9.0), (0.0, 9.0))

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([images.mean((1, 2, 3)), images.std((1, 2, 3))], 1)


@pytest.mark.parametrize("name", ["latentclr", "neural_ode"])
def test_paths_of_one_row_move_all_rows_of_w_plus(name, rows):
    method = METHODS[name]()
    method.feature = None
    paths = method.fit(rows, context(1, Brightness()))
    assert isinstance(paths, LayerwisePaths) and paths.layers == list(range(rows.shape[0]))
    codes = rows.sample(rows.shape[0], rng())
    index = torch.ones(len(codes), dtype=torch.long)
    moved = paths.shift(codes.latents, index, torch.full((len(index),), 0.5)) - codes.latents
    torch.testing.assert_close(
        torch.linalg.vector_norm(moved, dim=2), torch.full(moved.shape[:2], 0.5), rtol=2e-3, atol=0
    )


@pytest.mark.parametrize("name", ["hessian_penalty", "pde"])
def test_methods_of_vectors_do_not_apply_to_w_plus(name, rows):
    with pytest.raises(
        NotApplicable, match=r"gan.space must be one whose latents are vectors, as z or w, for this method, got 'w\+'"
    ):
        METHODS[name]().fit(rows, context(1))


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: LatentCLR(3, None, (0.5, 1.0), 0.5, 4, 1e-2, kind="curved"),
            r"method.kind must be one of \('straight', 'field'\), got 'curved'",
        ),
        (
            lambda: LatentCLR(1, None, (0.5, 1.0), 0.5, 4, 1e-2),
            "num_paths and batch_size must be at least 2 and temperature above 0, got 1, 4",
        ),
        (
            lambda: LatentCLR(3, None, (1.0, 0.5), 0.5, 4, 1e-2),
            r"method.amounts must be two numbers with 0 < smallest <= largest, got \[1.0, 0.5\]",
        ),
        (
            lambda: HessianPenalty(3, None, 1.0, 1, 0.1, 4, 1e-2),
            "samples must be at least 2, step above 0 and reach not below, got 3, 1, 0.1",
        ),
        (
            lambda: PotentialFlow(3, 3, True, SimpleNamespace, 1.0, 1, 1e-2),
            "method.batch_size must be at least 2 and weight at least 0, got 1",
        ),
        (
            lambda: NeuralODE(None, 1, 1.0, (0.5, 2.0), 0.0, 1.0, 64, 16, 1e-2),
            "method.temperature must be above 0, weight at least 0 and probe",
        ),
    ],
)
def test_arguments_out_of_range_are_refused_in_one_line(make, message):
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "\n" not in str(error.value)
