"""An early exit shows nearly what the whole network shows, and ends sooner."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from latent_lab.gans.mobilestylegan import MobileStyleGAN, haar, inverse_haar
from latent_lab.pretraining.exits import early_exit, fit_exit
from tests.checkpoints.layouts import random_weights


@pytest.fixture
def whole() -> MobileStyleGAN:
    return random_weights(MobileStyleGAN(12, 8, [8, 16, 12, 6], mapping_layers=2))


def test_bands_and_images_are_each_other(rng):
    x = torch.randn(2, 3, 8, 6, generator=rng).double()
    torch.testing.assert_close(inverse_haar(haar(x)), x)
    torch.testing.assert_close(haar(x)[:, :3], F.avg_pool2d(x, 2))


def test_half_the_pixels_are_the_averages(whole):
    half = MobileStyleGAN(**whole.config | {"pixels": 32})
    half.load_state_dict(whole.state_dict())
    w = torch.randn(2, whole.num_rows, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(
            half.synthesise(w, {}), F.avg_pool2d(whole.synthesise(w, {}), 2), rtol=1e-4, atol=1e-4
        )


def test_a_fitted_exit_follows_the_whole(whole):
    part = fit_exit(whole, 16, num=40, points=60, steps=400)
    assert part.resolution == 16 and part.num_rows == 8 and not any(p.requires_grad for p in part.parameters())
    codes = whole.space("w").sample(20, torch.Generator().manual_seed(5))
    with torch.no_grad():
        target = F.avg_pool2d(whole.decode("w", codes), 4)
        error, unfitted = (
            (image.decode("w", codes) - target).square().mean() for image in (part, early_exit(whole, 16))
        )
    assert error < 0.5 * target.var() and error < 0.5 * unfitted


def test_the_same_seed_gives_the_same_exit(whole):
    one, other = (fit_exit(whole, 16, num=3, points=10, steps=2, seed=1).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("pixels", [32, 7])
def test_other_sizes_are_refused(pixels, whole):
    with pytest.raises(ValueError, match=rf"pixels must be one of \[8, 16\], got {pixels}"):
        early_exit(whole, pixels)
    with pytest.raises(ValueError, match="pixels must be 64, 32 or null, got 7"):
        MobileStyleGAN(**whole.config | {"pixels": 7})
