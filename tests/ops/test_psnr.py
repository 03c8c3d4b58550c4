"""PSNR is its formula, over all pixels or a mask's."""

import torch

from latent_lab.ops.psnr import psnr


def test_it_is_the_formula():
    images = torch.zeros(2, 1, 4, 4)
    made = torch.stack([images[0] + 0.2, images[1] + 3])
    # 3 is shown as 1
    torch.testing.assert_close(psnr(made, images), torch.tensor([20.0, 10 * torch.tensor(4.0).log10()]))
    torch.testing.assert_close(psnr(images, images), torch.full((2,), 126.0206))


def test_a_mask_weighs_the_pixels(rng):
    plain, distortion = (torch.rand(3, 3, 12, 12, generator=rng, dtype=torch.float64) - 0.5 for _ in range(2))
    region = torch.zeros(3, 1, 12, 12, dtype=torch.float64)
    region[:, :, 2:6, 3:9] = 1
    moved = plain + 0.1 + region * distortion
    torch.testing.assert_close(
        psnr(moved, plain, 1 - region), torch.full((3,), 26.0206, dtype=torch.float64), rtol=0, atol=1e-3
    )
    torch.testing.assert_close(psnr(moved, plain, torch.ones_like(region)), psnr(moved, plain))
    weights = 0.25 + 0.5 * region
    error = ((moved.clamp(-1, 1) - plain).square().mean(1, keepdim=True) * weights).sum((1, 2, 3)) / weights.sum(
        (1, 2, 3)
    )
    torch.testing.assert_close(psnr(moved, plain, weights), 10 * (4 / error).log10())
    assert psnr(moved, plain, torch.zeros_like(region)).isnan().all()
