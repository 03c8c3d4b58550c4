"""Shifts by half a pixel: where things go, and what the edges do."""

from __future__ import annotations

import torch

from latent_lab.ops.half_pixel import shift_half_pixel


def test_the_centroid_of_a_blob_moves_by_half_a_pixel(rng):
    image = torch.zeros(1, 1, 9, 11, dtype=torch.float64)
    image[:, :, 2:7, 3:8] = torch.rand(5, 5, generator=rng, dtype=torch.float64)
    columns, rows = torch.arange(11.0, dtype=torch.float64), torch.arange(9.0, dtype=torch.float64)
    place = lambda one: torch.stack([(one.sum(1) * columns).sum(1), (one.sum(2) * rows).sum(1)]) / one.sum()  # noqa: E731
    for moved, way in zip(shift_half_pixel(image), ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))):
        expected = torch.tensor(way, dtype=torch.float64)[:, None]
        torch.testing.assert_close(place(moved[:, 0]) - place(image[:, 0]), expected)
        torch.testing.assert_close(moved.sum(), image.sum())


def test_an_even_image_stays_and_an_edge_is_repeated(rng):
    even = torch.full((2, 3, 4, 4), 0.25)
    assert torch.equal(shift_half_pixel(even), even.expand(4, -1, -1, -1, -1))
    image = torch.rand(2, 3, 4, 4, generator=rng)
    right, left, down, up = shift_half_pixel(image)
    assert torch.equal(right[..., 0], image[..., 0]) and torch.equal(left[..., -1], image[..., -1])
    assert torch.equal(down[..., 0, :], image[..., 0, :]) and torch.equal(up[..., -1, :], image[..., -1, :])
    torch.testing.assert_close(right[..., 1], (image[..., 0] + image[..., 1]) / 2)
