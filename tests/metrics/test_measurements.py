"""What every metric promises, whichever there are: one yaml each, a row a latent, scores that say what they are."""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil

import pytest
import torch
from torch import nn

import latent_lab.metrics
from latent_lab.attributes.base import Predictor
from latent_lab.attributes.factors import TrueFactors
from latent_lab.components import build_component, load_metrics, load_protocol
from latent_lab.evaluation.evaluate import evaluate
from latent_lab.evaluation.observe import observe, require_rows, views_of
from latent_lab.evaluation.plan import make_plan
from latent_lab.evaluation.score import obstacle, own_rows, redraw_plan
from latent_lab.evaluation.subject import Subject
from latent_lab.evaluation.validation import Validation
from latent_lab.gans.shapes import Shapes
from latent_lab.installation import choices, read_choice
from latent_lab.metrics.base import Bootstrap, Measurement, Setting
from latent_lab.metrics.views import Views
from latent_lab.paths.linear import LinearPaths

NEEDS = ("single", "equal")
SMALL = {"steps": 2, "batch_size": 4, "num": 8, "shares": [1.0]}  # budgets of those that train, or draw images
NAMES = choices("metric")


class Means(Predictor):
    """An identity of images: the mean of each row of pixels."""

    def forward(self, images):
        return images.mean((1, 3))


class Distance(nn.Module):
    """A distance of pairs of images."""

    def forward(self, one, other):
        return (one - other).abs().mean((1, 2, 3))


class Real:
    """Images that are here."""

    is_here, image_shape = True, (3, 32, 32)

    def setup(self):
        pass

    def held_out_split(self):
        return torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1, torch.zeros(8)


@pytest.fixture(scope="module")
def subject() -> Subject:
    """Paths of which everything can be measured."""
    space = Shapes().space()
    paths = LinearPaths(*space.shape, 3, rng=torch.Generator().manual_seed(0))
    paths.requires_grad_(False)
    return Subject(space, paths, TrueFactors(), Means(), Distance(), Real())


@pytest.fixture(scope="module")
def protocol():
    sizes = dict(num_paths=3, num_latents=4, prior_latents=8, ranking_latents=2, matrix_latents=1)
    return load_protocol("fast", **sizes, length=1.0, resamples=5, batch_size=8, strip_steps=3)


@pytest.fixture(scope="module")
def plan(subject, protocol):
    return make_plan(subject, protocol)


def built(name: str) -> Measurement:
    node = read_choice("metric", name)[name]
    small = {option: value for option, value in SMALL.items() if option in node}
    return build_component("metric", name, **{name: small})[name]


def classes() -> set[type]:
    modules = [
        importlib.import_module(f"latent_lab.metrics.{found.name}")
        for found in pkgutil.iter_modules(latent_lab.metrics.__path__)
    ]
    every = {value for module in modules for value in vars(module).values() if inspect.isclass(value)}
    return {one for one in every if issubclass(one, Measurement) and not inspect.isabstract(one)}


def test_every_metric_has_a_yaml_of_its_name():
    named = {read_choice("metric", name)[name]["_target_"]: name for name in NAMES}
    assert {f"{one.__module__}.{one.__qualname__}" for one in classes()} == named.keys()
    assert len(named) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_needs_what_there_is(name):
    for need in built(name).needs:
        assert need in NEEDS or set(need) <= set("klKL"), need


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_of_one_latent_alone(name, subject, protocol, plan):
    metric = built(name)
    codes = subject.space.sample(4, torch.Generator().manual_seed(0))

    def rows(first: int, last: int):
        part = codes.select(slice(first, last))
        views = views_of(subject, plan, protocol, {name: metric}, part, first)
        return require_rows(name, metric.observe(views), last - first)

    with torch.no_grad():
        whole, parts = rows(0, 4), [rows(0, 1), rows(1, 4)]
    for key, values in whole.items():
        torch.testing.assert_close(
            values, torch.cat([part[key] for part in parts]), equal_nan=True, rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("name", NAMES)
def test_scores_say_what_they_are(name, subject, protocol, plan):
    metric = built(name)
    assert obstacle(metric, subject) == ""
    observed = observe(subject, plan, protocol, {name: metric}, 0, protocol.num_latents)
    bootstrap = Bootstrap(protocol.num_latents, protocol.resamples, torch.Generator().manual_seed(0))
    scoring = torch.cat([torch.arange(4)[None], bootstrap.index])
    resamples = redraw_plan(subject, protocol, plan)._replace(scoring=scoring)
    setting = Setting(subject, 0, bootstrap, plan, protocol, resamples)
    rows = own_rows(observed, name)
    scores, matrices, curves = (part(rows, setting) for part in (metric.scores, metric.matrices, metric.curves))
    assert scores or matrices
    for score in scores:
        assert isinstance(score.unit, str) and score.better in ("lower", "higher", ""), score.name
        assert math.isnan(score.low) or score.low <= score.high, score.name
        assert score.num > 0 and isinstance(score.value, float), score.name
    for matrix in matrices.values():
        assert matrix.values.shape == (len(matrix.rows), len(matrix.columns))
    shown = {matrix.picture for matrix in matrices.values() if matrix.picture} | curves.keys()
    assert shown <= metric.pictures.keys() and all(picture.caption for picture in metric.pictures.values())
    assert all(metric.pictures[picture].x and metric.pictures[picture].y for picture in curves)


def test_what_cannot_be_measured_says_why(subject, protocol):
    bare = Subject(subject.space, subject.paths)
    metrics = {name: built(name) for name in NAMES}
    result = evaluate(bare, protocol, metrics=metrics)
    left_out = {note.split(" ")[0] for note in result.notes if "was not measured: " in note}
    assert {
        "selectivity",
        "dependency",
        "side_effects",
        "identity",
        "ranking",
        "recovery",
        "naturalness",
        "quality",
    } == left_out
    assert any(note.startswith("perceptual distances were not measured: ") for note in result.notes)
    assert {"commutativity/swap/images", "length/per_amount", "bracket"} <= {score.name for score in result.scores}


def test_the_validation_takes_what_it_can_see(subject):
    assert Validation(subject, load_metrics(), 0).metrics.keys() == {"commutativity", "round_trip", "length"}


def test_rows_that_are_none_are_refused():
    with pytest.raises(ValueError, match=r"metric mine: observe must return .* each of the 4 latents, got a of \(3,\)"):
        require_rows("mine", {"a": torch.zeros(3)}, 4)


def test_what_no_metric_needs_is_not_there_to_read(subject):
    views = Views(subject, 1)
    for part in ("single", "equal"):
        with pytest.raises(ValueError, match=f"needs of a metric must name '{part}' to read"):
            getattr(views, part)
    with pytest.raises(ValueError, match="needs of a metric must name the sequence 'kl' to read it"):
        views["kl"]
