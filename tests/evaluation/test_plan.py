"""Which path stands for which attribute."""

from __future__ import annotations

import pytest
import torch

from latent_lab.components import load_protocol
from latent_lab.evaluation import originals as originals_of_draws
from latent_lab.evaluation.choice import choose_candidates, find_signs, measure_selectivity
from latent_lab.evaluation.measured import choose_positions
from latent_lab.evaluation.observe import pairs_of
from latent_lab.evaluation.originals import measure_originals
from latent_lab.evaluation.plan import make_plan
from latent_lab.evaluation.subject import Subject
from tests.evaluation.planted import Coordinates, Reader, Straight, axes

NAN = float("nan")
TARGETS = torch.tensor([0, 2])
UNIT = torch.tensor([1.0, 2.0, 0.5])
# one latent, two paths, forwards and backwards, three attributes of which the middle one is no target
CHANGE = torch.tensor([[[[1.0, 2.0, 0.5], [-1.0, 0.0, 0.0]], [[0.0, -4.0, 1.0], [0.0, 4.0, 1.0]]]])


def test_signs_are_those_of_the_mean_change():
    assert find_signs(CHANGE).tolist() == [[1, 1, 1], [1, -1, 1]]


def test_selectivity_of_short_edits_by_hand():
    found = measure_selectivity(CHANGE, UNIT, TARGETS)[0]
    # path 0 forwards: 1 and 1 of the targets; an attribute that is no target is compared with the targets
    torch.testing.assert_close(found[0, 0], torch.tensor([1 / 2, 1 / 3, 1 / 2], dtype=torch.float64))
    torch.testing.assert_close(found[0, 1], torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64))
    # path 1 changes the last attribute by the same both ways: one of them is the wrong one
    torch.testing.assert_close(found[1, :, 2], torch.tensor([1.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(found[1, :, 1], torch.tensor([1 / 2, 1 / 2], dtype=torch.float64))


def test_what_was_not_measured_counts_0():
    assert measure_selectivity(torch.full_like(CHANGE, NAN), UNIT, TARGETS).tolist() == [[[[0.0] * 3] * 2] * 2]


def test_the_best_of_each_target_go_on_then_those_of_its_own_name():
    table = torch.tensor([[0.1, 0.9, 0.3], [0.5, 0.2, 0.2], [0.4, 0.0, 0.9]])
    assert choose_candidates(table, TARGETS, 2, {}) == [(1, 0), (2, 0), (2, 2), (0, 2)]
    assert choose_candidates(table, TARGETS, 1, {2: 0, 1: 1}) == [(1, 0), (2, 2), (0, 2)]


def test_the_choice_is_by_the_smallest_change_and_over_what_was_asked():
    share = torch.tensor([[[0.2, 0.9], [0.4, 0.0], [0.3, 0.3]], [[1.0, 0.9], [0.5, 0.0], [0.3, 0.3]]])  # (R, Q, C)
    asked = torch.ones_like(share, dtype=torch.bool)
    asked[1, 0] = False
    changes = torch.tensor([0.5, 1.0])
    assert choose_positions(share[:, :2], asked[:, :2], changes, 2).tolist() == [1]
    assert choose_positions(share[:, :2], asked[:, :2].fill_(True), changes, 2).tolist() == [0]
    assert choose_positions(share[:, 1:], asked[:, 1:], changes, 1).tolist() == [0, 1]


def protocol(**options):
    sizes = dict(num_latents=8, prior_latents=100, ranking_latents=8, matrix_latents=1, length=2.0)
    return load_protocol("fast", **{**sizes, "targets": ["a", "b"], **options})


def test_named_paths_stand_beside_those_that_were_chosen():
    subject = Subject(Coordinates().space(), Straight(torch.cat([axes(2), axes(2) + 0.5 * axes(3)[2]])), Reader())
    plan = make_plan(subject, protocol(candidates=1), made_for=["nothing", "nothing", "a", "d"])
    measured = plan.measured
    assert measured.wanted.paths.tolist() == [0, 1, 2] and measured.wanted.attributes.tolist() == [0, 1, 0]
    assert measured.positions.tolist() == [0, 1] and measured.named.tolist() == [2, -1]
    assert [pick.path for pick in plan.chosen] == [0, 1]
    curves = {curve.chosen.attribute: curve for curve in measured.curves}
    assert curves.keys() == set(Reader.names)
    assert curves["a"].chosen.path == 2 and curves["d"].chosen.path == 3  # their own names come first
    assert [curves[name].target for name in Reader.names] == [True, True, False, False, False, False]
    torch.testing.assert_close(curves["b"].changes, curves["b"].amounts / curves["b"].deviation, atol=1e-3, rtol=1e-3)


def test_what_was_measured_on_a_draw_is_shared(monkeypatch):
    subject, seen = Subject(Coordinates().space(), Straight(axes()), Reader()), []
    original = Reader.measure
    monkeypatch.setattr(originals_of_draws, "MEASURED", {})
    monkeypatch.setattr(Reader, "measure", lambda self, *parts: seen.append(1) or original(self, *parts))
    first = measure_originals(subject, protocol())
    counted = len(seen)
    again = measure_originals(Subject(subject.space, Straight(axes(2)), Reader()), protocol())
    assert len(seen) == counted > 0 and torch.equal(first.prior, again.prior) and first.shell == again.shell
    other = measure_originals(subject, protocol(seed=1))
    assert len(seen) > counted and not torch.equal(first.prior, other.prior)


def test_only_changes_that_stay_in_the_range_of_the_prior_are_asked():
    subject = Subject(Coordinates().space(), Straight(axes()), Reader())
    originals = measure_originals(subject, protocol(prior_latents=1000))
    before = torch.zeros(3, 6)
    before[1, 0], before[2, 0] = 2.2, -2.2
    asked = originals.asked(before, torch.tensor([0, 5]), torch.tensor([-0.5, 0.5]), Reader())
    assert asked[:, 0].tolist() == [[True, True], [True, False], [False, True]]
    assert asked[:, 1].all()


def test_targets_that_nothing_measures_are_one_line():
    subject = Subject(Coordinates().space(), Straight(axes()), Reader())
    with pytest.raises(ValueError, match=r"evaluation.targets must be among \['a', .*\], got \['a', 'smile'\]"):
        make_plan(subject, protocol(targets=["a", "smile"]))


def test_a_path_of_two_attributes_is_not_exchanged_with_itself():
    pairs = pairs_of(0, 3, 2, torch.tensor([5, 5, 7]))
    assert pairs.shape == (3, 2, 2)
    assert {tuple(pair) for pair in pairs.flatten(0, 1).tolist()} == {(0, 2), (1, 2), (2, 0), (2, 1)}


def test_where_one_path_is_the_best_of_all_targets_another_one_is_shown_too():
    subject = Subject(Coordinates().space(), Straight(axes(3)[[2, 0]]), Reader())
    plan = make_plan(subject, protocol(targets=["a"]))
    assert [(pick.path, pick.attribute) for pick in plan.chosen] == [(1, "a"), (0, "a")]
    assert plan.targets.tolist() == [0, 0] and plan.measured.positions.tolist() == [0]


def test_where_no_attribute_is_measured_the_first_paths_are_shown():
    plan = make_plan(Subject(Coordinates().space(), Straight(axes())), protocol(num_paths=2))
    assert plan.labels == ["0 path 0", "1 path 1"] and plan.measurements is None
    with pytest.raises(ValueError, match="nothing was measured of these paths, for no attribute is"):
        plan.measured  # noqa: B018
