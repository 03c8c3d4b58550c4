"""Side effects and the assignment of paths to attributes, by hand."""

from __future__ import annotations

import pytest
import torch

from latent_lab.data.edits import Pair, View
from latent_lab.metrics.side_effects import SideEffectError, assign_paths, change_per_path, side_effect_error


def views(original: torch.Tensor, change: torch.Tensor, k: torch.Tensor) -> tuple[dict[str, View], Pair]:
    return {"": View(None, None, original), "k": View(None, None, original + change)}, Pair(k, k, torch.ones(len(k)), torch.ones(len(k)))


def test_changes_are_averaged_by_path_without_their_sign():
    changes = torch.tensor([[1.0, -2], [3, 4], [-5, 0]])
    result = change_per_path(torch.tensor([2, 0, 2]), changes, 3)
    torch.testing.assert_close(result, torch.tensor([[3.0, 4], [torch.nan, torch.nan], [3, 1]]), equal_nan=True)


@pytest.mark.parametrize(
    "change, attributes, paths",
    [
        ([[3, 1], [4, 1]], [0, 1], [1, 0]),  # both favour attribute 0; 0.80 + 0.25 beats 0.75 + 0.20
        ([[30, 10], [4, 1]], [0, 1], [1, 0]),  # the size of a change does not matter
        ([[1, 9], [9, 1], [5, 5]], [0, 1], [1, 0]),  # more paths than attributes
        ([[1, 2, 7]], [2], [0]),  # fewer: the other attributes get none
        ([[torch.nan] * 2, [1, 3], [3, 1]], [0, 1], [2, 1]),  # a path that was not taken
        ([[0, 0], [1, 3], [3, 1]], [0, 1], [2, 1]),  # a path that changes nothing
    ],
)
def test_each_attribute_gets_its_purest_path(change, attributes, paths):
    result = assign_paths(torch.tensor(change, dtype=torch.float32))
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
    scaled = [({name: view._replace(attributes=view.attributes * unit) for name, view in seen.items()}, pair) for seen, pair in batches]
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
