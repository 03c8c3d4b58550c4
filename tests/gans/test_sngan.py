"""The SNGAN family: sizes, images, weights in and out."""

from __future__ import annotations

import pytest
import torch

from latent_lab.checkpoints import native
from latent_lab.gans.codes import Codes
from latent_lab.gans.sngan import SNGAN, SNGANCritic


@pytest.mark.parametrize(
    "options, count, resolution",
    [
        (dict(latent_dim=128, widths=[256] * 4, image_channels=1), 4_074_753, 32),
        (dict(latent_dim=128, widths=[1024, 512, 256, 128, 64], image_channels=3), 17_791_235, 64),
    ],
)
def test_published_sizes(options, count, resolution):
    with torch.device("meta"):
        generator = SNGAN(**options)
    assert sum(p.numel() for p in generator.parameters()) == count
    assert (generator.resolution, generator.channels) == (resolution, options["image_channels"])


@pytest.mark.parametrize("widths, image_channels", [([8, 8], 1), ([8, 4, 6], 3)])
def test_images_have_the_declared_shape_and_range(widths, image_channels, rng):
    generator = SNGAN(latent_dim=5, widths=widths, image_channels=image_channels)
    codes = generator.space().sample(3, rng)
    images = generator.decode("z", codes.moved(10 * codes.latents))
    assert images.shape == (3, image_channels, generator.resolution, generator.resolution)
    assert images.abs().max() <= 1 and images.std() > 0


def test_an_image_does_not_depend_on_its_batch(space, rng):
    codes = space.sample(4, rng)
    alone = torch.cat([space.decode(codes.select(slice(i, i + 1))) for i in range(4)])
    torch.testing.assert_close(space.decode(codes), alone)


def test_the_prior_is_a_truncated_normal_scaled_not_clipped(generator):
    whole, half = (
        generator.space(truncation=t).sample(2000, torch.Generator().manual_seed(0)).latents for t in (1.0, 0.5)
    )
    assert torch.equal(half, whole / 2)
    assert abs(whole.mean()) < 0.02 and abs(whole.std() - 1) < 0.02


def test_config_and_tensors_rebuild_the_generator(generator, rng, tmp_path):
    codes = generator.space().sample(2, rng)
    file = tmp_path / "tiny.safetensors"
    file.write_bytes(native.to_bytes(generator.state_dict(), {"config": generator.config}))
    tensors, metadata = native.read(file)
    again = SNGAN(**metadata["config"])
    native.load_into(again, tensors, file)
    assert torch.equal(again.space().decode(codes), generator.space().decode(codes))


@pytest.mark.parametrize("options", [dict(latent_dim=0), dict(widths=[8]), dict(widths=[8, 0]), dict(image_channels=0)])
def test_errors_are_one_line(options):
    with pytest.raises(
        ValueError, match="latent_dim, image_channels and at least two widths must be positive, got"
    ) as error:
        SNGAN(**options)
    assert "\n" not in str(error.value)


def test_the_critic_scores_each_image_and_is_1_lipschitz_in_its_layers(rng):
    torch.manual_seed(0)
    critic = SNGANCritic([8, 16], 1)
    images = torch.randn(3, 1, 32, 32, generator=rng)
    for _ in range(20):  # power iterations
        critic(images)
    critic.eval()
    assert critic(images).shape == (3,)
    for name, module in critic.named_modules():
        if hasattr(module, "parametrizations"):
            assert torch.linalg.matrix_norm(module.weight.flatten(1), 2) < 1.05, name


def test_gradients_reach_the_latents_and_not_the_weights(space, generator, rng):
    codes = space.sample(2, rng)
    z = codes.latents.requires_grad_()
    space.decode(Codes(z)).square().sum().backward()
    assert z.grad.isfinite().all() and z.grad.any()
    assert all(p.grad is None for p in generator.parameters())
