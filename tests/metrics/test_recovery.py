"""Recovery of known factors: copies of them score best, strangers worst."""

from __future__ import annotations

import math

import pytest
import torch

from latent_lab.metrics.recovery import (
    FactorRecovery,
    cut,
    dci,
    matched_r2,
    mutual_information_gap,
    squared_correlations,
)

N, A = 4000, 4
ORDER, SCALE = [2, 0, 3, 1], torch.tensor([1.0, -2.0, 0.01, -300.0])


@pytest.fixture
def factors(rng) -> torch.Tensor:
    return torch.randn(N, A, generator=rng)


@pytest.fixture
def copy(factors) -> torch.Tensor:
    """The factors in another order, unit, sign and origin."""
    return factors[:, ORDER] * SCALE + 5


@pytest.fixture
def strangers(rng, factors) -> torch.Tensor:
    return torch.randn(N, A, generator=rng)


@pytest.fixture
def rotated(factors) -> torch.Tensor:
    """Every coordinate holds equal parts of all factors (a Hadamard matrix)."""
    return factors @ torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2


def test_squared_correlations_are_pearsons(factors, strangers):
    codes = strangers[:, :3] + 0.5 * factors[:, :3]
    expected = torch.corrcoef(torch.cat([codes, factors], 1).mT.double())[:3, 3:].square()
    torch.testing.assert_close(squared_correlations(codes, factors), expected)


def test_a_coordinate_that_does_not_vary_correlates_with_nothing(factors):
    assert torch.equal(squared_correlations(torch.zeros(N, 1), factors), torch.zeros(1, A, dtype=torch.float64))


def test_matched_r2_of_a_copy_is_1(factors, copy):
    assert matched_r2(copy, factors) == pytest.approx(1)


def test_matched_r2_of_a_rotation_is_the_share_that_each_coordinate_holds(factors, rotated):
    assert matched_r2(rotated, factors) == pytest.approx(1 / A, abs=0.05)


def test_matched_r2_of_strangers_is_low(factors, strangers):
    assert matched_r2(strangers, factors) < 0.01


def test_matched_r2_gives_each_factor_a_coordinate_of_its_own(factors):
    """Four copies of one factor recover that one only."""
    assert matched_r2(factors[:, [1, 1, 1, 1]], factors) == pytest.approx(1 / A, abs=0.01)


def test_more_coordinates_than_factors_do_no_harm(factors, copy, strangers):
    assert matched_r2(torch.cat([strangers, copy], 1), factors) == pytest.approx(1)


def test_dci_of_a_copy_is_1(factors, copy):
    assert dci(copy, factors) == pytest.approx(
        {"disentanglement": 1, "completeness": 1, "informativeness": 1}, abs=1e-5
    )


def test_dci_of_a_rotation_knows_everything_and_disentangles_nothing(factors, rotated):
    found = dci(rotated, factors)
    assert found["informativeness"] == pytest.approx(1)
    assert found["disentanglement"] < 0.01 and found["completeness"] < 0.01


def test_dci_of_strangers_informs_of_nothing(factors, strangers):
    assert abs(dci(strangers, factors)["informativeness"]) < 0.01


def test_a_coordinate_of_two_factors_by_hand(factors):
    """The first coordinate holds factors 0 and 1 equally, the second only 1: weights 1 -1, 0 1 after scaling."""
    factors = torch.linalg.qr(factors[:, :2] - factors[:, :2].mean(0))[0] * (N - 1) ** 0.5
    codes = torch.stack([factors[:, 0] + factors[:, 1], factors[:, 1]], 1)
    # standardised: c0 = (u0 + u1) / sqrt 2, c1 = u1, hence u0 = sqrt 2 c0 - c1 and u1 = c1: importances [[sqrt 2, 0],
    # [1, 1]]
    weight = math.sqrt(2)
    share = weight / (weight + 1)
    entropy = -(share * math.log2(share) + (1 - share) * math.log2(1 - share))
    found = dci(codes, factors)
    assert found["disentanglement"] == pytest.approx(weight / (weight + 2), abs=1e-4)  # rows: entropy 0 and 1
    assert found["completeness"] == pytest.approx(
        (1 - entropy) * (weight + 1) / (weight + 2) + 1 / (weight + 2), abs=1e-4
    )
    assert found["informativeness"] == pytest.approx(1)


def test_mig_of_a_copy_is_nearly_1(factors, copy):
    """Bins of a finite sample: some information is left between independent coordinates."""
    assert 0.95 < mutual_information_gap(copy, factors) <= 1


def test_mig_of_two_copies_of_one_factor_is_0(factors):
    assert mutual_information_gap(torch.stack([factors[:, 0], -3 * factors[:, 0]], 1), factors[:, :1]) == pytest.approx(
        0, abs=1e-9
    )


def test_mig_of_strangers_is_nearly_0(factors, strangers):
    assert abs(mutual_information_gap(strangers, factors)) < 0.03


def test_mig_sees_dependence_that_is_no_correlation(factors):
    codes = torch.stack([factors[:, 0].abs(), factors[:, 1]], 1)
    assert matched_r2(codes[:, :1], factors[:, :1]) < 0.01
    assert mutual_information_gap(codes, factors[:, :1]) > 0.5


def test_mig_of_one_coordinate_is_its_information(factors):
    assert mutual_information_gap(factors[:, :1], factors[:, :1]) == pytest.approx(1, abs=1e-6)


def test_mig_of_two_bins_by_hand():
    """Factor 0 0 1 1 in halves; one coordinate tells it entirely, the other not at all."""
    factors = torch.tensor([[1.0], [2], [3], [4]])
    codes = torch.tensor([[10.0, 1], [20, 3], [30, 2], [40, 4]])
    assert mutual_information_gap(codes, factors, bins=2) == pytest.approx(1)


def test_mig_is_in_shares_of_the_factors_own_entropy():
    """A factor of four values and a copy of it: the whole of its entropy, however many parts there are."""
    factors = torch.arange(4.0).repeat_interleave(24)[:, None]
    codes = torch.cat([3 - factors, torch.arange(4.0).repeat(24)[:, None]], 1)
    for bins in (4, 20):
        assert mutual_information_gap(codes, factors, bins) == pytest.approx(1)
    uneven = (factors > 0).float()  # 1 in three quarters
    noisy = uneven.clone()
    noisy[:24] = torch.arange(24.0)[:, None] % 2
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    joint = torch.tensor([[0.125, 0.0], [0.125, 0.75]], dtype=torch.float64)
    independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    information = torch.special.xlogy(joint, joint / independent).sum().item()
    assert mutual_information_gap(noisy, uneven) == pytest.approx(information / entropy)


def test_equal_values_share_a_part_whatever_their_order(rng):
    values = torch.randint(3, (600, 2), generator=rng).float()
    order = torch.randperm(600, generator=rng)
    assert torch.equal(cut(values, 20)[order], cut(values[order], 20))
    assert all(len(column.unique()) == 3 for column in cut(values, 20).mT)
    distinct = torch.randperm(600, generator=rng).double()[:, None]
    assert torch.bincount(cut(distinct, 20)[:, 0]).tolist() == [30] * 20


def test_a_coordinate_that_does_not_vary_tells_nothing(factors):
    """Cut by order, ties would tell whatever the order of the samples tells."""
    ordered = factors[factors[:, 0].argsort()][:, :1]
    constant = torch.zeros(N, 1)
    assert mutual_information_gap(constant, ordered) == pytest.approx(0, abs=1e-12)
    assert math.isnan(mutual_information_gap(ordered, constant))


def test_the_metric_is_its_functions_over_all_updates(factors, copy):
    noisy = copy + 0.3 * SCALE * torch.randn(copy.shape, generator=torch.Generator().manual_seed(1))
    metric = FactorRecovery()
    for part in (slice(0, 1500), slice(1500, None)):
        metric.update(noisy[part], factors[part])
    expected = {"r2": matched_r2(noisy, factors), "mig": mutual_information_gap(noisy, factors)}
    expected |= {f"dci_{name}": value for name, value in dci(noisy, factors).items()}
    assert metric.compute() == pytest.approx(expected, rel=1e-9)
    assert metric.higher_is_better
