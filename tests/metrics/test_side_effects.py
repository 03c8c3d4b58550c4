"""Side effects of edits, by hand."""

from __future__ import annotations

import pytest
import torch

from latent_lab.edits.views import Pair, View
from latent_lab.metrics.path_choice import assign
from latent_lab.metrics.side_effects import (
    EqualChangeSideEffects,
    SideEffectError,
    change_per_path,
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
        [[-0.3, 3.0, 0.0], [-1.0, 0.0, 0.5], [NAN, NAN, NAN]],
    ],
    dtype=torch.float64,
)
MATRIX = torch.tensor([[10.0, 100, 10], [100, 10, 25], [NAN, NAN, NAN]], dtype=torch.float64)


def equal_change(*changes: torch.Tensor) -> EqualChangeSideEffects:
    metric = EqualChangeSideEffects(torch.tensor([1, 0, 1]), 3)
    for part in changes:
        metric.update(part)
    return metric


def test_the_matrix_at_equal_change_by_hand():
    metric = equal_change(CHANGES)
    torch.testing.assert_close(metric.matrix(), MATRIX, equal_nan=True)
    assert metric.off_diagonal(metric.matrix()).tolist() == pytest.approx([10, 10, 10, 25])
    assert metric.compute().item() == pytest.approx(55 / 4)


def test_side_effects_are_a_ratio_of_sums_over_latents_not_a_mean_of_ratios():
    alone = [equal_change(CHANGES[i : i + 1]).matrix()[0, 2].item() for i in range(2)]
    assert alone == pytest.approx([40, 0])
    assert equal_change(CHANGES).matrix()[0, 2].item() == pytest.approx(10)


def test_a_resample_reads_the_latents_that_it_names():
    metric = equal_change(CHANGES)
    torch.testing.assert_close(metric.matrix(torch.tensor([0, 1])), MATRIX, equal_nan=True)
    torch.testing.assert_close(metric.matrix(torch.tensor([1, 1])), equal_change(CHANGES[1:]).matrix(), equal_nan=True)
    torch.testing.assert_close(
        metric.matrix(torch.tensor([0, 1, 1])), equal_change(CHANGES[[0, 1, 1]]).matrix(), equal_nan=True
    )


def test_states_at_equal_change_of_two_ranks_merge(rng):
    changes = torch.randn(8, 3, 3, generator=rng)
    whole, first, second = equal_change(changes), equal_change(changes[:3], changes[3:4]), equal_change(changes[4:])
    first.merge_state(second)
    torch.testing.assert_close(first.matrix(), whole.matrix())
    torch.testing.assert_close(first.compute(), whole.compute())


def test_paths_that_change_only_their_own_attribute_have_no_side_effects(rng):
    own = torch.nn.functional.one_hot(torch.tensor([1, 0, 1]), 3) * torch.randn(5, 3, 1, generator=rng)
    metric = equal_change(own)
    assert metric.off_diagonal(metric.matrix()).tolist() == [0.0] * 6
    assert metric.compute() == 0


def test_where_no_path_reached_its_change_there_is_no_score():
    metric = equal_change(torch.full((2, 3, 3), NAN))
    assert metric.off_diagonal(metric.matrix()).numel() == 0
    assert metric.compute().isnan()


def test_the_unit_of_all_changes_cancels(rng):
    changes = torch.randn(6, 3, 3, generator=rng)
    torch.testing.assert_close(equal_change(changes).matrix(), equal_change(-7 * changes).matrix())


def test_images_that_could_not_be_measured_do_not_count(rng):
    changes = torch.rand(6, 2, 2, generator=rng)
    whole, holed = EqualChangeSideEffects(torch.arange(2), 2), EqualChangeSideEffects(torch.arange(2), 2)
    whole.update(changes[:5])
    holed.update(torch.cat([changes[:5], torch.full((1, 2, 2), float("nan"))]))
    torch.testing.assert_close(holed.matrix(), whole.matrix())

    originals, moves, k = torch.randn(9, 2, generator=rng), torch.randn(9, 2, generator=rng), torch.arange(9) % 2
    one, other = SideEffectError(2), SideEffectError(2)
    one.update(*views(originals[:8], moves[:8], k[:8]))
    originals[8] = float("nan")
    other.update(*views(originals, moves, k))
    torch.testing.assert_close(other.change(), one.change())
