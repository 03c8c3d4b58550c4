"""Redraws of the latents of an evaluation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from latent_lab.components import build_component, load_protocol
from latent_lab.edits.equal_change import REACHED, EqualChange, Found, Wanted
from latent_lab.evaluation.choice import FirstPass, find_signs
from latent_lab.evaluation.measured import Measured, choose_positions
from latent_lab.evaluation.observe import observe
from latent_lab.evaluation.originals import Originals
from latent_lab.evaluation.plan import Plan, make_plan
from latent_lab.evaluation.redraw import choose_again, find_likely, redraw
from latent_lab.evaluation.score import own_rows
from latent_lab.evaluation.subject import Subject
from latent_lab.metrics.base import Bootstrap, Setting
from latent_lab.metrics.bootstrap import Resamples
from latent_lab.ops.circular import deviation
from tests.evaluation.planted import Coordinates, Reader, Straight, axes

R, M, C = 6, 50, 2  # ranking latents, samples of the prior, changes
CHANGES = torch.tensor([-0.5, 0.5])
PERIODS = Reader().periods
EQUAL = ("selectivity", "side_effects", "dependency")
EVERY = torch.arange(R)[None]


def made_plan(rng: torch.Generator, change: Tensor, short: Tensor | None = None) -> Plan:
    """Return a plan with the targets a and b, two candidates each, in float64.

    Arguments:
        rng: Source of the prior.
        change: Changes of a and b by the candidates at equal change, with shape (R, 4, C, 2).
        short: Changes of their own targets by short edits, forwards and backwards, with shape (R, 4, 2).
    """
    prior = torch.randn(M, 6, generator=rng, dtype=torch.float64)
    prior[:, 5] %= 1
    ends = torch.zeros(R, 4, C, 6, dtype=torch.float64)
    ends[..., :2] = change
    own = torch.tensor([0, 0, 1, 1])
    first = torch.zeros(R, 4, 2, 6, dtype=torch.float64)
    if short is None:
        short = torch.tensor([1.0, -1.0], dtype=torch.float64).expand(R, 4, 2)
    for q in range(4):
        first[:, q, :, own[q]] = short[:, q]
    wanted = Wanted(torch.arange(4), own, find_signs(first)[torch.arange(4), own])
    found = Found(torch.ones(R, 4, C), ends, torch.full((R, 4, C), REACHED))
    originals = Originals(prior, prior[:, :1] ** 3, torch.zeros(R, 6, dtype=torch.float64), 0, (0.0, 9.0), PERIODS)
    unit, columns = originals.deviation, torch.tensor([0, 1])
    rules = EqualChange(CHANGES, unit, columns, 2.0, torch.ones(4), originals.shell)
    asked, scored = torch.ones(R, 4, C, dtype=torch.bool), torch.ones(4, dtype=torch.bool)
    selectivity = torch.zeros(4, 6)
    nobody, positions = torch.tensor([-1, -1]), torch.tensor([0, 2])
    table = FirstPass(first, selectivity, find_signs(first))
    measured = Measured(Reader(), unit, columns, table, wanted, found, asked, rules, 2, positions, nobody, [], scored)
    return Plan(torch.ones(4), [], originals, measured)


def choose(plan: Plan, ranking: Tensor, prior: Tensor | None = None) -> Resamples:
    prior = torch.arange(M).expand(len(ranking), M) if prior is None else prior
    return choose_again(plan, (0.0,), ranking, prior)


@pytest.fixture
def change(rng) -> Tensor:
    """Changes of which the first candidate of each target is the pure one on latents 0 to 2, the second on the rest."""
    side = torch.full((R, 4, C), 0.1, dtype=torch.float64)
    side[3:, [0, 2]] = side[:3, [1, 3]] = 1.0
    own = torch.tensor([0, 0, 1, 1])
    found = torch.zeros(R, 4, C, 2, dtype=torch.float64)
    for q in range(4):
        found[:, q, :, own[q]], found[:, q, :, 1 - own[q]] = 0.5 * CHANGES.sign().double(), side[:, q]
    return found


def test_deviations_are_those_of_the_redrawn_prior(rng, change):
    plan = made_plan(rng, change)
    prior = torch.randint(M, (7, M), generator=rng)
    found = choose(plan, EVERY.expand(7, R), prior)
    for b in range(7):
        torch.testing.assert_close(found.deviation[b], deviation(plan.originals.prior[prior[b]], PERIODS))
        torch.testing.assert_close(found.judged[b], (plan.originals.prior[prior[b], :1] ** 3).std(0))
    still = choose(plan, EVERY, torch.zeros(1, M, dtype=torch.long))
    assert still.deviation.abs().max() == 0 and still.judged.abs().max() == 0


def test_the_choice_among_candidates_changes_with_the_ranking_latents(rng, change):
    plan = made_plan(rng, change)
    ranking = torch.tensor([[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5], [0, 1, 2, 0, 1, 4], [3, 4, 5, 3, 4, 1]])
    assert choose(plan, ranking).positions.tolist() == [[0, 2], [1, 3], [0, 2], [1, 3]]


def test_redraws_are_the_same_one_by_one_and_together(rng, change):
    plan = made_plan(rng, change + 0.2 * torch.randn(change.shape, generator=rng, dtype=torch.float64))
    ranking, prior = torch.randint(R, (20, R), generator=rng), torch.randint(M, (20, M), generator=rng)
    together = choose(plan, ranking, prior)
    for b in range(20):
        alone = choose(plan, ranking[b : b + 1], prior[b : b + 1])
        for one, many in zip(alone, together):
            torch.testing.assert_close(one[0], many[b], rtol=1e-12, atol=0)
    assert len({tuple(row) for row in together.positions.tolist()}) > 1


def test_a_candidate_whose_sign_turns_is_not_chosen(rng, change):
    short = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(R, 4, 1)
    short[0, 0] *= -1.5  # latent 0 goes the other way, by more than one of the others
    plan = made_plan(rng, change, short)
    found = choose(plan, torch.tensor([[0, 1, 1, 2, 2, 5], [0, 0, 0, 0, 1, 2]]))
    assert found.agrees.tolist() == [[True] * 4, [False, True, True, True]]
    assert found.positions.tolist() == [[0, 2], [1, 2]]  # though the first is the pure one on both


def test_a_candidate_that_is_not_scored_is_not_chosen(rng, change):
    plan = made_plan(rng, change)
    plan.measured.scored[0] = False
    assert choose(plan, torch.tensor([[0, 0, 1, 1, 2, 2]])).positions.tolist() == [[1, 2]]


def test_those_are_likely_that_redraws_choose(rng, change):
    plan = made_plan(rng, change)
    ranking = torch.tensor([[0, 0, 1, 1, 2, 2]]).repeat(100, 1)
    ranking[:4] = torch.tensor([3, 3, 4, 4, 5, 5])  # 4 % of the redraws
    assert find_likely(choose(plan, ranking), plan.measured).tolist() == [True, False, True, False]
    ranking[4] = ranking[0]
    assert find_likely(choose(plan, ranking), plan.measured).tolist() == [True] * 4


def test_the_first_redraw_is_the_latents_as_they_were_drawn(rng, change):
    plan = made_plan(rng, change)
    found = redraw(plan, (0.0,), 9, torch.Generator().manual_seed(3))
    again = redraw(plan, (0.0,), 9, torch.Generator().manual_seed(3))
    assert all(len(part) == 10 and torch.equal(part, other) for part, other in zip(found, again))
    torch.testing.assert_close(found.deviation[0], plan.originals.deviation, rtol=1e-12, atol=0)
    for part, whole in zip(found, choose(plan, EVERY)):
        torch.testing.assert_close(part[0], whole[0], rtol=1e-12, atol=0)
    assert found.deviation[1:].std(0)[:4].min() > 0


@pytest.fixture(scope="module")
def setting_and_rows() -> tuple[Setting, dict[str, dict[str, Tensor]]]:
    """An evaluation of oblique paths, of which the method made one for a target, with redraws that change nothing, and
    what three metrics observe in it."""
    sizes = dict(num_latents=24, prior_latents=60, ranking_latents=8, matrix_latents=1, length=2.0, candidates=2)
    protocol = load_protocol("fast", **sizes, targets=["a", "b", "c"])
    paths = Straight(torch.cat([axes(3) + 0.3 * axes(4)[1:], axes(3) - 0.2 * axes(4)[[2, 0, 1]]]))
    subject = Subject(Coordinates().space(), paths, Reader(), judges=Reader())
    plan = make_plan(subject, protocol, made_for=["a"])
    metrics = {name: build_component("metric", name)[name] for name in EQUAL}
    observed = observe(subject, plan, protocol, metrics, 0, 24)
    found = choose_again(plan, PERIODS, torch.arange(8).repeat(4, 1), torch.arange(60).repeat(4, 1))
    bootstrap = Bootstrap(24, 3, torch.Generator().manual_seed(0))
    scoring = torch.stack([torch.arange(24), torch.arange(24), torch.arange(24).flip(0), torch.arange(24).roll(5)])
    setting = Setting(subject, 0, bootstrap, plan, protocol, found._replace(scoring=scoring))
    return setting, {name: own_rows(observed, name) for name in EQUAL}


@pytest.mark.parametrize("name", EQUAL)
def test_a_redraw_of_all_latents_as_they_are_gives_the_same_numbers(name, setting_and_rows):
    setting, rows = setting_and_rows
    scores = build_component("metric", name)[name].scores(rows[name], setting)
    assert scores
    for score in scores:
        assert score.resampled.tolist() == pytest.approx([score.value] * 3, rel=1e-9, nan_ok=True), score.name


def test_a_candidate_whose_sign_turns_counts_as_not_reached(setting_and_rows):
    setting, rows = setting_and_rows
    agrees = setting.resamples.agrees.clone()
    agrees[1, setting.resamples.positions[1, 0]] = False  # that of the first of three targets
    turned = Setting(
        setting.subject, 0, setting.bootstrap, setting.choice, setting.asked, setting.resamples._replace(agrees=agrees)
    )
    scores = build_component("metric", "selectivity")["selectivity"].scores(rows["selectivity"], turned)
    found = {score.name.removeprefix("selectivity/0.5"): score for score in scores}
    for part in ("", "/reached"):
        assert found[part].resampled[0] < found[part].value - 0.2
    changed = found["/not_found"].resampled[0] - found["/not_found"].value
    assert changed.item() == pytest.approx(found["/reached"].value - found["/reached"].resampled[0].item())
    assert found["/named"].value > 0 and torch.equal(found["/asked"].resampled[:1], found["/asked"].resampled[1:2])


def test_rows_are_taken_latent_by_latent(rng):
    values = torch.randn(5, 4, 3, generator=rng, dtype=torch.float64)
    scoring, positions = torch.randint(5, (7, 5), generator=rng), torch.randint(4, (7, 2), generator=rng)
    empty = torch.zeros(7, 0)
    found = Resamples(scoring, empty, empty, positions, torch.ones(7, 4, dtype=torch.bool)).take(values, positions)
    for b in range(7):
        assert torch.equal(found[b], values[scoring[b]][:, positions[b]])


def test_choices_of_many_redraws_are_those_of_each(rng):
    share = torch.rand(5, 8, 6, 2, generator=rng, dtype=torch.float64)
    asked = torch.rand(5, 8, 6, 2, generator=rng) > 0.3
    together = choose_positions(share, asked, CHANGES, 3)
    assert together.tolist() == [choose_positions(*part, CHANGES, 3).tolist() for part in zip(share, asked)]
