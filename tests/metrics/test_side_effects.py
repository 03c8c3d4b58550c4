"""Side effects of edits, by hand."""

from __future__ import annotations

import pytest
import torch

from latent_lab.edits.views import Pair, View
from latent_lab.metrics.path_choice import assign
from latent_lab.metrics.side_effects import (
    SideEffectError,
    change_per_path,
    effects_at_change,
    purity,
    side_effect_error,
)

NAN = torch.nan


def views(original: torch.Tensor, change: torch.Tensor, k: torch.Tensor) -> tuple[dict[str, View], Pair]:
    return {"": View(None, None, original), "k": View(None, None, original + change)}, Pair(
        k, k, torch.ones(len(k)), torch.ones(len(k))
    )


def test_changes_are_averaged_by_path_without_their_sign():
    changes = torch.tensor([[1.0, -2], [3, 4], [-5, 0]])
    result = change_per_path(torch.tensor([2, 0, 2]), changes, 3)
    torch.testing.assert_close(result, torch.tensor([[3.0, 4], [NAN, NAN], [3, 1]]), equal_nan=True)


def test_purity_is_the_share_of_a_paths_change_and_0_without_one():
    change = torch.tensor([[1.0, 3], [0, 0], [NAN, NAN], [5, 0]])
    torch.testing.assert_close(purity(change), torch.tensor([[0.25, 0.75], [0, 0], [0, 0], [1, 0]]))


@pytest.mark.parametrize(
    "change, attributes, paths",
    [
        ([[3, 1], [4, 1]], [0, 1], [1, 0]),  # both favour attribute 0; 0.80 + 0.25 beats 0.75 + 0.20
        ([[30, 10], [4, 1]], [0, 1], [1, 0]),  # the size of a change does not matter
        ([[1, 9], [9, 1], [5, 5]], [0, 1], [1, 0]),  # more paths than attributes
        ([[1, 2, 7]], [2], [0]),  # fewer: the other attributes get none
        ([[NAN] * 2, [1, 3], [3, 1]], [0, 1], [2, 1]),  # a path that was not taken
        ([[0, 0], [1, 3], [3, 1]], [0, 1], [2, 1]),  # a path that changes nothing
    ],
)
def test_each_attribute_gets_its_purest_path(change, attributes, paths):
    result = assign(purity(torch.tensor(change, dtype=torch.float32)))
    assert [index.tolist() for index in result] == [attributes, paths]


def test_the_matrix_by_hand():
    matrix = side_effect_error(torch.tensor([[1.0, 4], [5, 2]]), torch.tensor([0, 1]), torch.tensor([1, 0]))
    torch.testing.assert_close(matrix, torch.tensor([[100.0, 40], [25, 100]]))


def test_the_metric_by_hand():
    originals = torch.tensor([[0.0, 0], [2**0.5, 2 * 2**0.5]])  # standard deviations 1 and 2
    changes = torch.tensor([[1.0, -1], [-0.5, 2]])  # in these: 1 and 1/2, 1/2 and 1
    metric = SideEffectError(2)
    metric.update(*views(originals, changes, torch.tensor([1, 0])))
    matrix, attributes, paths = metric.matrix()
    torch.testing.assert_close(matrix, torch.tensor([[100.0, 50], [50, 100]]))
    assert attributes.tolist() == [0, 1] and paths.tolist() == [1, 0]
    torch.testing.assert_close(metric.compute(), torch.tensor(50.0))


@pytest.fixture
def batches(rng):
    return [
        views(torch.randn(n, 3, generator=rng), torch.randn(n, 3, generator=rng), torch.randint(5, (n,), generator=rng))
        for n in (40, 30, 10)
    ]


def filled(batches) -> SideEffectError:
    metric = SideEffectError(5)
    for batch in batches:
        metric.update(*batch)
    return metric


def test_the_diagonal_is_100_and_units_do_not_matter(batches):
    matrix, attributes, paths = filled(batches).matrix()
    torch.testing.assert_close(matrix.diagonal(), torch.full((3,), 100.0))
    assert attributes.tolist() == [0, 1, 2] and len(set(paths.tolist())) == 3
    unit = torch.tensor([10.0, 0.1, 3.0])
    scaled = [
        ({name: view._replace(attributes=view.attributes * unit) for name, view in seen.items()}, pair)
        for seen, pair in batches
    ]
    torch.testing.assert_close(filled(scaled).matrix()[0], matrix, rtol=1e-4, atol=1e-3)


def test_states_of_two_ranks_merge(batches):
    whole, first, second = filled(batches), filled(batches[:2]), filled(batches[2:])
    first.merge_state(second)
    torch.testing.assert_close(first.compute(), whole.compute())


def test_states_are_cleared(batches):
    metric = filled(batches[:1])
    once = metric.compute()
    metric.reset()
    metric.update(*batches[0])
    assert torch.equal(metric.compute(), once)


# two latents, three paths whose own attributes are 1, 0 and 1; the third path does not reach its change
CHANGES = torch.tensor(
    [
        [[0.1, -1.0, 0.4], [1.0, 0.2, 0.0], [NAN, NAN, NAN]],
        [[-0.3, -3.0, 0.0], [1.0, 0.0, 0.5], [NAN, NAN, NAN]],
    ],
    dtype=torch.float64,
)
OWN, UNIT = torch.tensor([1, 0, 1]), torch.ones(3)
MATRIX = torch.tensor([[10.0, 100, 10], [100, 10, 25], [NAN, NAN, NAN]], dtype=torch.float64)


def matrix(changes: torch.Tensor, reached: torch.Tensor | None = None, deviation: torch.Tensor = UNIT) -> torch.Tensor:
    reached = torch.ones(changes.shape[:2], dtype=torch.bool) if reached is None else reached
    return effects_at_change(changes, reached, OWN, deviation)


def test_the_matrix_at_equal_change_by_hand():
    torch.testing.assert_close(matrix(CHANGES), MATRIX, equal_nan=True)


def test_side_effects_are_a_ratio_of_sums_over_latents_not_a_mean_of_ratios():
    assert [matrix(CHANGES[i : i + 1])[0, 2].item() for i in range(2)] == pytest.approx([40, 0])


def test_latents_that_did_not_reach_the_change_do_not_count():
    reached = torch.tensor([[True, True, False], [False, True, False]])
    torch.testing.assert_close(matrix(CHANGES, reached)[0], torch.tensor([10.0, 100, 40], dtype=torch.float64))


def test_edits_the_wrong_way_make_side_effects_larger():
    mixed = CHANGES.clone()
    mixed[0, 0, 1] = 1.0  # of the first path, whose own change is 1 and -3 now: 1 on average, not 2
    torch.testing.assert_close(matrix(mixed)[0], torch.tensor([20.0, 200, 20], dtype=torch.float64))


def test_changes_are_in_standard_deviations(rng):
    unit = torch.tensor([10.0, 0.1, 3.0], dtype=torch.float64)
    torch.testing.assert_close(matrix(CHANGES * unit, deviation=unit), MATRIX, equal_nan=True)
    assert matrix(CHANGES, deviation=torch.tensor([1.0, 1.0, 0.0]))[:, 2].isnan().all()  # it never varies


def test_images_that_could_not_be_measured_do_not_count(rng):
    originals, moves, k = torch.randn(9, 2, generator=rng), torch.randn(9, 2, generator=rng), torch.arange(9) % 2
    one, other = SideEffectError(2), SideEffectError(2)
    one.update(*views(originals[:8], moves[:8], k[:8]))
    originals[8] = float("nan")
    other.update(*views(originals, moves, k))
    torch.testing.assert_close(other.change(), one.change())
