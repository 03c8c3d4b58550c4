"""The rule that chooses targets, on planted numbers; and the lists of the yamls, chosen anew."""

from __future__ import annotations

import pytest
import torch

from latent_lab import load_generator
from latent_lab.attributes.base import Attributes
from latent_lab.attributes.factors import TrueFactors
from latent_lab.attributes.targets import CLASS, choose_targets, judge
from latent_lab.components import load_predictors
from latent_lab.gans.shapes import Shapes
from latent_lab.installation import read_choice


def verdicts(span, shift, correlation=None, units=None, **options):
    names = "abcdef"[: len(span)]
    correlation = torch.eye(len(span)) if correlation is None else torch.tensor(correlation)
    return judge(names, units or ["px"] * len(span), torch.tensor(span), torch.tensor(shift), correlation, **options)


def test_twelve_times_the_shift_are_needed():
    assert verdicts([12.0, 11.9], [1.0, 1.0]) == ["target", "a shift moves it: 11.9 < 12"]


def test_a_probability_and_what_a_shift_does_not_move_must_span_a_fifth():
    units = ["probability", "probability", "px", "px", "px"]
    found = verdicts([0.2, 0.19, 0.19, 0.19, 0.2], [1e-3, 1e-3, 1e-3, 0.0, 0.0], units=units)
    assert [verdict == "target" for verdict in found] == [True, False, True, False, True]
    assert found[1] == found[3] == "hardly varies: 0.19 < 0.2"


def test_a_constant_is_no_target():
    assert verdicts([0.0], [0.0]) == ["hardly varies: 0 < 0.2"]


def test_one_of_several_classes_and_what_is_not_asked_are_no_targets():
    assert verdicts([1.0, 1.0], [0.0, 0.0], units=[CLASS, "probability"])[0] == "a class, no number on a line"
    assert verdicts([1.0, 1.0], [0.0, 0.0], among=["b"]) == ["not asked", "target"]


def test_of_a_pair_the_one_that_correlates_more_with_all_leaves():
    """a-b correlate most; a also correlates with c, so a leaves, and with it its tie to c."""
    correlation = [[1, 0.8, 0.7], [0.8, 1, 0.1], [0.7, 0.1, 1]]
    assert verdicts([1.0] * 3, [0.0] * 3, correlation) == ["correlates by 0.80 with b", "target", "target"]


def test_only_those_that_are_left_count():
    """d alone would tip the sum against b, but d has left."""
    correlation = [[1, 0.7, 0.3, 0], [0.7, 1, 0, 0.9], [0.3, 0, 1, 0], [0, 0.9, 0, 1]]
    found = verdicts([1.0, 1.0, 1.0, 0.1], [0.0] * 4, correlation)
    assert [verdict == "target" for verdict in found] == [False, True, True, False]


class Planted(Attributes):
    """The mean of an image, twice it, an angle that crosses its zero, and nan where the image is dark."""

    names, units, ranges = ("mean", "twice", "angle", "seen"), ("share",) * 4, ((-9.0, 9.0),) * 4
    periods = (0.0, 0.0, 360.0, 0.0)

    def forward(self, images):
        mean, corner = images.mean((1, 2, 3)), images[:, 0, 0, 0]
        seen = torch.where(mean < -0.6, torch.nan, images[:, 0].amax((1, 2)))
        return torch.stack([mean, 2 * mean, (175 + 20 * corner) % 360 - 180, seen], 1)


def test_numbers_are_those_of_the_definition(rng):
    space, num = Shapes().space(), 400
    found = choose_targets(space, Planted(), num, torch.Generator().manual_seed(0), 64)
    state = torch.Generator().manual_seed(0)
    images = torch.cat([space.decode(space.sample(len(part), state)) for part in torch.arange(num).split(64)])
    mean = images.mean((1, 2, 3))
    kept = mean >= -0.6
    assert found.num == num and found.measured <= int(kept.sum())
    corner = 20 * images[kept, 0, 0, 0]
    for i, values in ((0, mean[kept]), (1, 2 * mean[kept]), (2, corner)):
        low, high = torch.quantile(values.double(), torch.tensor([0.01, 0.99], dtype=torch.float64))
        assert found.span[i].item() == pytest.approx((high - low).item(), rel=1e-3), i
    assert found.correlation[0, 1] == pytest.approx(1) and found.span[2] < 60
    assert found.verdicts[0].startswith("correlates by 1.00 with") or found.verdicts[1].startswith("correlates by 1.00")
    assert found.table().count("\n") == 5


def test_errors_name_the_argument():
    space, rng = Shapes().space(), torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match=r"among must be names of \['x', .*, got \['z'\]"):
        choose_targets(space, TrueFactors(), 8, rng, among=["x", "z"])
    with pytest.raises(ValueError, match="num must be so large that 2 samples can be measured, got 1 of 1"):
        choose_targets(space, TrueFactors(), 1, rng)


@pytest.mark.slow
@pytest.mark.parametrize("gan, dataset", [("sngan_mnist", "mnist"), ("sngan_avatars", "avatars")])
@pytest.mark.parametrize("seed", [3, 4])
def test_the_yamls_list_is_what_the_rule_chooses(gan, dataset, seed):
    node = read_choice("dataset", dataset)
    attributes, _ = load_predictors(dataset)
    among = attributes.parts[0].names if dataset == "avatars" else None  # what the avatars were drawn with
    space = load_generator(gan).space("z")
    found = choose_targets(space, attributes, 1500, torch.Generator().manual_seed(seed), among=among)
    assert found.targets == list(node["targets"]), found.table()


@pytest.mark.parametrize("mixing", [0.0, 0.5])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_all_known_factors_are_targets_however_they_are_mixed(mixing, seed):
    space = Shapes(mixing).space()
    found = choose_targets(space, TrueFactors(), 1500, torch.Generator().manual_seed(seed))
    assert found.targets == list(read_choice("dataset", "shapes")["targets"]) == list(Shapes.factor_names)
    assert torch.isinf(found.ratio).all() and found.correlation.fill_diagonal_(0).max() < 0.2
