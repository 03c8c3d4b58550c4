"""Walks trained towards a target: losses against direct computations, known factors, limits, errors."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_lab.attributes.base import Attributes, Selection
from latent_lab.attributes.factors import FactorIdentity, TrueFactors
from latent_lab.gans.shapes import Shapes
from latent_lab.gans.sngan import SNGANCritic
from latent_lab.gans.space import LatentSpace
from latent_lab.methods.base import Context
from latent_lab.methods.enjoy_your_editing import EditingTarget
from latent_lab.methods.ganalyze import AssessorTarget
from latent_lab.methods.limits import Response, find_limits
from latent_lab.methods.steerability import TransformationTarget
from latent_lab.methods.transformations import transform
from latent_lab.methods.walk import Walk, require_labels
from latent_lab.ops.streams import TRAINING
from latent_lab.paths.walks import WalkPaths

pytestmark = pytest.mark.slow


FACTORS = list(Shapes.factor_names)


def context(attributes: Attributes | None = None, steps: int = 1) -> Context:
    attributes = TrueFactors() if attributes is None else attributes
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    measures = lambda names: attributes if names is None else Selection(attributes, names)  # noqa: E731
    return Context(trainer, 0, torch.Generator().manual_seed(0), measures=measures)


@pytest.fixture
def shapes() -> LatentSpace:
    return Shapes(mixing=0.0, resolution=12).space()


def paths_of(**options):
    return lambda **rest: WalkPaths(**rest, **options)


def method(target, steps: int = 1, amounts=(0.0, 1.0), paths=None, **options) -> Walk:
    settings = dict(batch_size=16, limit_latents=8, lr=0.05, lr_decay=0.5)
    return Walk(paths or paths_of(keep_norm=False), target, amounts, **settings | options)


def assessor(attributes=None, **options):
    return lambda **rest: AssessorTarget(attributes, 256, **options, **rest)


def editing(attributes=None, **options):
    settings = dict(
        regression=10.0,
        realism=0.05,
        content=0.05,
        embedding=None,
        critic=lambda image_channels: SNGANCritic([4, 8], image_channels),
    )
    return lambda **rest: EditingTarget(attributes, 256, **(settings | options), **rest)


def steering(transformations, **options):
    return lambda **rest: TransformationTarget(transformations, **options, **rest)


def cosines(paths: WalkPaths, space: LatentSpace) -> Tensor:
    return (F.normalize(paths.weight[0], dim=1) * space.generator.rotation[: paths.num_paths]).sum(1)


@pytest.mark.parametrize(
    "target", [assessor(), editing(embedding=FactorIdentity())], ids=["ganalyze", "enjoy_your_editing"]
)
def test_known_factors_are_recovered(target, shapes):
    """With unit variance and no mixing a unit of amount is a unit of the factor, and the direction its row of the
    rotation."""
    asked = context(steps=70)
    paths = method(target, together=7, lr=0.1).fit(shapes, asked)
    assert cosines(paths, shapes).min() > 0.95
    torch.testing.assert_close(torch.linalg.vector_norm(paths.weight[0], dim=1), torch.ones(7), rtol=0.15, atol=0)
    assert list(asked.findings["response"]) == FACTORS
    found = asked.findings["response"]["x"]
    assert found["at_largest"] == pytest.approx(1, abs=0.15) and found["limits"][0] < -1 < 1 < found["limits"][1]


def test_ganalyze_on_a_sphere_finds_the_direction_too(shapes):
    paths = method(assessor(["x"]), paths=paths_of(keep_norm=True), lr=0.1).fit(shapes, context(steps=60))
    assert cosines(paths, shapes).min() > 0.9


def test_steerability_finds_what_shifts(shapes):
    """The ellipse's x moves it by tanh(u) / 4 of the side; the ground is the same everywhere, so that a shift is within
    reach."""
    asked = context(steps=100)
    target = steering({"shift_x": 0.1, "shift_y": 0.1})
    paths = method(target, lr=0.1).fit(shapes, asked)
    assert cosines(paths, shapes).min() > 0.8
    for name in ("shift_x", "shift_y"):
        found = asked.findings["response"][name]
        assert found["at_largest"] > 0.4 and found["limits"][0] < 0 < found["limits"][1]


def test_a_network_walks_too(shapes):
    asked = context(steps=80)
    paths = method(assessor(["x", "y"]), paths=paths_of(kind="network", keep_norm=True, width=16)).fit(shapes, asked)
    assert all(found["at_largest"] > 0.5 for found in asked.findings["response"].values())
    assert paths.kind == "network"


def test_the_assessors_loss_is_the_papers(shapes):
    asked = context()
    module = method(assessor(["x", "size"])).module(shapes, asked)
    target = module.target
    codes = shapes.sample(4, torch.Generator().manual_seed(1))
    moved = codes.moved(codes.latents + 0.3)
    amounts = torch.tensor([[1.0, 0.0], [0.0, -0.5], [0.0, 2.0], [0.7, 0.0]])
    loss = target.losses(codes, shapes.decode(codes), moved, shapes.decode(moved), amounts)["score"]
    change = (shapes.generator.factors(moved.latents) - shapes.generator.factors(codes.latents))[
        :, [0, 5]
    ] / target.deviation
    walked = [(change[0, 0] - 1), (change[1, 1] + 0.5), (change[2, 1] - 2), (change[3, 0] - 0.7)]
    assert loss.item() == pytest.approx(torch.stack(walked).square().mean().item(), rel=1e-4)


def test_the_masked_distance_leaves_out_what_is_unknown(shapes):
    module = method(steering({"shift_x": 0.25})).module(shapes, context())
    codes = shapes.sample(4, torch.Generator().manual_seed(1))
    before, amounts = shapes.decode(codes), torch.tensor([[1.0], [-1.0], [0.5], [0.0]])
    asked, known = transform(before, amounts @ module.target.units)
    after = asked.where(known.bool(), torch.full_like(asked, 1.0))
    assert module.target.losses(codes, before, codes, after, amounts)["distance"] == 0
    realised = module.target.realised(codes, before, codes, after, torch.zeros(4, dtype=torch.long))
    torch.testing.assert_close(realised, amounts[:, 0])


def test_a_distance_is_injected(shapes):
    class Mean(nn.Module):
        def forward(self, one, other):
            return (one - other).abs().mean((1, 2, 3))

    module = method(steering({"brightness": 0.1}, distance=Mean())).module(shapes, context())
    codes = shapes.sample(2, torch.Generator().manual_seed(1))
    before = shapes.decode(codes)
    loss = module.target.losses(codes, before, codes, before, torch.ones(2, 1))["distance"]
    assert loss.item() == pytest.approx(
        (transform(before, module.target.units.expand(2, -1))[0] - before).abs().mean().item()
    )


def test_the_critic_learns_and_the_walk_does_not_teach_it(shapes):
    module = method(editing(realism=1.0)).module(shapes, context())
    module.train()
    terms = module.losses(0, TRAINING)
    assert set(terms) == {"regression", "content", "realism", "critic"}
    critic = list(module.target.critic.parameters())
    assert all(p.requires_grad for p in critic)
    assert all(g is None for g in torch.autograd.grad(terms["realism"], critic, retain_graph=True, allow_unused=True))
    (walk,) = torch.autograd.grad(terms["realism"], module.paths.weight, retain_graph=True)
    assert walk.any()
    assert all(g.any() for g in torch.autograd.grad(terms["critic"], critic, retain_graph=True))
    assert torch.autograd.grad(terms["critic"], module.paths.weight, allow_unused=True)[0] is None


def test_a_step_is_a_function_of_its_number(shapes):
    one, other = (method(editing()).module(shapes, context()) for _ in range(2))
    for step in (0, 3):
        first, second = one.losses(step, TRAINING), other.losses(step, TRAINING)
        assert all(torch.equal(first[name], second[name]) for name in first)
    assert one.losses(0, TRAINING)["regression"] != one.losses(1, TRAINING)["regression"]


def test_only_what_is_trained_is_saved(shapes):
    module = method(editing(embedding=FactorIdentity())).module(shapes, context())
    checkpoint = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(checkpoint)
    assert {name.split(".")[0] + "." + name.split(".")[1] for name in checkpoint["state_dict"]} == {
        "paths.weight",
        "target.critic",
    }


class Steps(Attributes):
    """One attribute without a gradient, one with, both within [0, 1]."""

    names, units, ranges = ("steps", "smooth"), ("probability", "probability"), ((0.0, 1.0), (0.0, 1.0))

    def forward(self, images: Tensor) -> Tensor:
        mean = images.mean((1, 2, 3)).sigmoid()
        return torch.stack([(10 * mean).round() / 10 + mean.detach() * 0.01, mean.detach() * 0 + mean], 1)


class Hidden(Steps):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).detach()


def test_a_score_is_not_asked_to_leave_its_range(shapes):
    target = method(assessor(["smooth"]), amounts=(0.0, 2.0)).module(shapes, context(Steps())).target
    codes = shapes.sample(4, torch.Generator().manual_seed(1))
    images = shapes.decode(codes)
    target.deviation.fill_(1.0)
    asked, reached, _ = target.errors(codes, images, codes, images, torch.tensor([[2.0], [-2.0], [0.0], [0.1]]))
    torch.testing.assert_close(asked[:2, 0], torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(asked[2:, 0] - reached[2:, 0], torch.tensor([0.0, 0.1]))


def test_what_was_not_found_does_not_count(shapes):
    class Rare(Steps):
        def forward(self, images: Tensor) -> Tensor:
            found = torch.arange(len(images)) % 2 == 0
            return torch.where(found[:, None], super().forward(images), torch.nan)

    target = method(assessor(["smooth"])).module(shapes, context(Rare())).target
    codes = shapes.sample(4, torch.Generator().manual_seed(1))
    moved = codes.moved((codes.latents + 0.2).requires_grad_())
    loss = target.losses(codes, shapes.decode(codes), moved, shapes.decode(moved), torch.ones(4, 1))["score"]
    (gradient,) = torch.autograd.grad(loss, moved.latents)
    assert gradient.isfinite().all() and gradient[::2].any() and not gradient[1::2].any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda space: method(assessor()).module(space, context(Hidden())),
            r"method.attributes must be differentiable to train paths towards them, got \['steps', 'smooth'\]",
        ),
        (
            lambda space: method(assessor(["smooth"]), amounts=(0, 90)).module(space, context(Steps())),
            "method.amounts must be at most .* standard deviations of 'smooth', which its range allows",
        ),
        (lambda space: method(steering({"zoom": -1})).module(space, context()), "transformations must be above 0"),
        (
            lambda space: method(assessor(), amounts=(1, 0)),
            "method.amounts must be two numbers with 0 <= smallest <= largest",
        ),
        (
            lambda space: method(assessor(), together=0),
            "method.together, batch_size and limit_latents must be at least 1, got 0",
        ),
        (
            lambda space: method(editing(content=-1.0)).module(space, context()),
            "target.regression, realism and content must be at least 0",
        ),
        (
            lambda space: method(assessor(), paths=paths_of(classes=3)).module(space, context()),
            "method.paths.classes must be 0 for a generator whose codes have no class, got 3",
        ),
    ],
)
def test_errors_are_one_line(shapes, make, message):
    with pytest.raises(ValueError, match=message) as error:
        make(shapes)
    assert "\n" not in str(error.value)


def test_a_generator_with_more_classes_than_directions_is_an_error(shapes):
    class Labelled:
        def sample(self, num, rng):
            return shapes.sample(num, rng).with_given(label=torch.full((num,), 7))

    require_labels(Labelled(), WalkPaths(7, 1, classes=8))
    with pytest.raises(ValueError, match="classes must be above every class of the generator, one is 7, got 7"):
        require_labels(Labelled(), WalkPaths(7, 1, classes=7))


def test_a_walk_ends_where_it_saturates_or_leaves_the_prior():
    amounts = torch.arange(-3.0, 4.0)
    straight, stuck = amounts.clone(), amounts.clamp(-1, 2)
    outside = torch.zeros(7)
    gone = torch.tensor([0.9, 0.6, 0.1, 0, 0.1, 0.2, 0.6])
    found = Response(
        amounts, torch.stack([straight, stuck, straight, -straight]), torch.stack([outside, outside, gone, outside])
    )
    assert [find_limits(found, k) for k in range(4)] == [(-3, 3), (-1, 2), (-1, 2), (0, 0)]
