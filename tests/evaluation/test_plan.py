"""Which path stands for which attribute."""

import torch

from latent_lab.evaluation.plan import choose

SCORES = torch.tensor([[0.9, 0.8, 0.1], [0.95, 0.2, 0.3], [0.1, 0.6, -0.7], [0.0, 0.0, 0.1]])  # 4 paths, 3 attributes


def test_every_attribute_has_the_path_that_moves_it_most_steadily():
    assert choose(SCORES, 3, {}) == [(1, 0), (0, 1), (2, 2)]


def test_a_path_that_was_made_for_an_attribute_stands_for_it():
    assert choose(SCORES, 4, {0: 0, 1: 2}) == [(0, 0), (2, 1), (1, 2), (3, 2)]
    assert choose(SCORES, 2, {0: 3, 1: 1, 2: 0}) == [(1, 1), (0, 2)]  # the better ones


def test_paths_beyond_the_attributes_come_after_them():
    assert choose(SCORES, 4, {})[3] == (3, 2)
