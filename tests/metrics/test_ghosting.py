"""The ghosting error is the share of the distortion that was pasted."""

from __future__ import annotations

import pytest
import torch

from latent_lab.metrics.ghosting import ghosting_error, high_pass

SIDE = 48


@pytest.fixture
def scene(rng):
    """A plain edit, a distortion, and the region that the person has left: float64."""
    plain, distortion = (torch.randn(3, 3, SIDE, SIDE, generator=rng, dtype=torch.float64) * 0.3 for _ in range(2))
    region = torch.zeros(3, 1, SIDE, SIDE, dtype=torch.float64)
    region[:, :, 10:30, 5:25] = 1
    return plain, distortion, region


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, -0.5])
def test_a_pasted_share_of_the_distortion_is_found(scene, share):
    plain, distortion, region = scene
    found = ghosting_error(plain + share * distortion, plain, distortion, region)
    torch.testing.assert_close(found, torch.full((3,), share, dtype=torch.float64), rtol=0, atol=1e-12)


def test_only_what_is_seen_in_the_region_counts(scene):
    plain, distortion, region = scene
    far = torch.zeros_like(region)
    far[:, :, 40:, 40:] = 1  # further than the filter reaches
    assert ghosting_error(plain + far * distortion, plain, distortion, region).abs().max() < 1e-12
    wide = torch.zeros_like(region)
    wide[:, :, 5:35, :30] = 1
    pasted = ghosting_error(plain + wide * distortion, plain, distortion, region)
    torch.testing.assert_close(pasted, torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-3)


def test_new_details_and_slow_changes_are_no_ghost(scene, rng):
    plain, distortion, region = scene
    other = torch.randn(plain.shape, generator=rng, dtype=torch.float64)
    # of chance correlations
    assert ghosting_error(plain + other, plain, distortion, region).abs().max() < 5 / 0.3 / region.sum().item() ** 0.5
    slow = torch.linspace(-1, 1, SIDE, dtype=torch.float64).expand_as(plain)
    assert ghosting_error(plain + slow, plain, distortion, region).abs().max() < 0.05
    torch.testing.assert_close(high_pass(torch.ones_like(plain), 2.0), torch.zeros_like(plain), rtol=0, atol=1e-12)


def test_edits_that_uncover_nothing_have_no_error(scene):
    plain, distortion, region = scene
    region[1] = 0
    shares = torch.tensor([0.2, 9.0, 0.6], dtype=torch.float64)
    errors = ghosting_error(plain + shares[:, None, None, None] * distortion, plain, distortion, region)
    assert errors[1].isnan()
    torch.testing.assert_close(errors[::2], shares[::2], rtol=0, atol=1e-12)


def test_a_filter_wider_than_the_image_is_refused(scene):
    with pytest.raises(ValueError, match="sigma must be below a third of the image's side 48, got 20"):
        high_pass(scene[0], 20)
