"""Nothing is gained by cheating: planted paths rank where they belong."""

from __future__ import annotations

import pytest
import torch

from latent_lab.components import load_metrics, load_protocol
from latent_lab.evaluation.evaluate import evaluate
from latent_lab.evaluation.subject import Subject
from tests.evaluation.planted import DIM, Coordinates, Reader, Straight, axes, axis

TARGETS = ["a", "b", "c", "d"]
METRICS = ("selectivity", "side_effects", "dependency", "commutativity", "round_trip")


def scores(paths, targets=TARGETS, reader=None, **options) -> dict:
    sizes = dict(num_latents=64, prior_latents=200, ranking_latents=16, matrix_latents=1, resamples=20, pairs=2)
    protocol = load_protocol("fast", **{**sizes, "length": 2.0, "targets": targets, "batch_size": 512, **options})
    subject = Subject(Coordinates().space(), paths, reader or Reader())
    result = evaluate(subject, protocol, metrics=load_metrics(*METRICS))
    return {score.name: score for score in result.scores} | {"notes": result.notes, "plan": result.plan}


def headline(paths, **options) -> float:
    return scores(paths, **options)["selectivity/0.5"].value


@pytest.fixture(scope="module")
def random_basis():
    return torch.linalg.qr(torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(3)))[0]


def test_paths_that_change_one_attribute_each_are_perfect():
    found = scores(Straight(axes()))
    assert found["selectivity/0.5"].value > 0.98  # a latent at the shell's border may leave it
    assert found["selectivity/0.5/where_reached"].value == pytest.approx(1, abs=1e-5)
    assert found["side_effects/+0.5/mean"].value == pytest.approx(0, abs=1e-3)
    assert found["dependency/0.5/max"].value == pytest.approx(0, abs=1e-5)
    assert found["commutativity/swap/latents"].value == pytest.approx(0, abs=1e-6)
    assert 0.9 < found["selectivity/0.5/asked"].value < 1


def test_a_random_basis_is_between_nothing_and_perfect(random_basis):
    assert 0.2 < headline(Straight(random_basis)) < 0.75


def test_zero_paths_score_nothing():
    found = scores(Straight(torch.zeros(4, DIM)))
    assert found["selectivity/0.5"].value == 0 and found["selectivity/0.5/not_found"].value == 1
    assert "4 of 4 paths move nothing" in found["notes"]
    for name in ("commutativity/swap/latents", "round_trip/latents", "additivity/images"):
        assert found[name].value != found[name].value, name  # not 0: nothing was exchanged
    assert headline(Straight(torch.stack([axis(0), *torch.zeros(3, DIM)]))) == pytest.approx(0.25, abs=0.01)


def test_a_path_that_moves_half_of_the_latents_the_wrong_way_gains_nothing():
    found = scores(Straight(axes(), gate=7))
    assert found["selectivity/0.5"].value < 0.75 * headline(Straight(axes()))
    assert found["selectivity/0.5/reached"].value == pytest.approx(0.5, abs=0.2)


def test_one_good_path_many_times_is_one_good_path():
    assert headline(Straight(axis(0).repeat(4, 1))) == pytest.approx(0.25, abs=0.01)
    found = scores(Straight(axis(0)[None]))
    assert found["selectivity/0.5"].value == pytest.approx(0.25, abs=0.01)
    assert "commutativity/swap/latents" not in found
    assert any("commutativity was not measured: order needs two different paths" in note for note in found["notes"])


def test_paths_that_leave_the_prior_do_not_count():
    away = axes() + 8 * axis(6)
    found = scores(Straight(away), length=8.0)
    assert found["selectivity/0.5/outside"].value > 0.2
    assert found["selectivity/0.5"].value < 0.8 * headline(Straight(axes()))
    far = scores(Straight(axes() + 100 * axis(6)))  # the wanted change lies beyond twice the compared length
    assert far["selectivity/0.5"].value == 0 and far["selectivity/0.5/not_found"].value == 1


def test_a_copy_scores_the_same_on_every_resample(random_basis):
    one, other = scores(Straight(random_basis)), scores(Straight(random_basis.clone()))
    for name in ("selectivity/0.5", "side_effects/+0.5/mean", "dependency/0.5/mean"):
        assert one[name].value == other[name].value
        assert torch.equal(one[name].resampled, other[name].resampled)


def test_images_that_never_change_score_nothing():
    found = scores(Straight(axes()), reader=Reader(0.0))
    assert found["selectivity/0.5"].value != found["selectivity/0.5"].value
    assert "a, b, c, d did not vary over 200 samples of the prior" in found["notes"]


def test_an_attribute_that_never_varies_changes_no_score(random_basis):
    plain, more = (scores(Straight(random_basis), targets=names) for names in (TARGETS, [*TARGETS, "constant"]))
    assert more["selectivity/0.5"].value == pytest.approx(plain["selectivity/0.5"].value, abs=1e-9)
    assert "constant did not vary over 200 samples of the prior" in more["notes"]


def test_an_angle_is_turned_the_short_way_round():
    found = scores(Straight(axes(5)), targets=["a", "angle"])
    assert found["selectivity/0.5/where_reached"].value == pytest.approx(1, abs=1e-5)
    assert found["selectivity/0.5/reached"].value > 0.95


@pytest.mark.parametrize("factor", [2.0**-7, 32.0, 0.003, 700.0])
def test_rescaled_amounts_change_no_score(random_basis, factor):
    curved = [Straight(random_basis), Straight(random_basis, scale=factor)]
    one, other = (scores(paths) for paths in curved)
    exact = factor in (2.0**-7, 32.0)
    for name, score in one.items():
        if name in ("notes", "plan", "length/per_amount"):
            continue
        if exact:
            assert other[name].value == score.value or score.value != score.value, name
        elif not name.startswith(("commutativity", "round_trip")):  # rounding alone, relative to itself
            assert other[name].value == pytest.approx(score.value, rel=0.03, abs=0.01), name


def test_more_draws_differ_by_what_the_interval_says(random_basis):
    one, other = (scores(Straight(random_basis), seed=seed)["selectivity/0.5"] for seed in (0, 1))
    assert one.value != other.value
    assert abs(one.value - other.value) < 2 * 2**0.5 * (one.high - one.low) / 2
