"""The door to a generator."""

from __future__ import annotations

import pytest
import torch

from latent_lab.gans.codes import Codes


def test_unknown_space(generator):
    with pytest.raises(ValueError, match=r"space must be one of \('z',\), got 'w'"):
        generator.space("w")


def test_a_space_freezes_its_generator(generator):
    generator.train()
    space = generator.space()
    assert not any(module.training for module in generator.modules())
    assert not any(p.requires_grad for p in generator.parameters())
    assert (space.name, space.shape, space.layers, space.spherical) == ("z", (16,), [], False)


def test_training_of_something_around_it_does_not_wake_the_generator(space, rng):
    codes = space.sample(4, rng)
    before = space.decode(codes)
    around = torch.nn.ModuleList([space])
    around.train()
    assert torch.equal(space.decode(codes), before)


def test_samples_are_a_function_of_the_random_numbers(space):
    def draw(seed: int) -> torch.Tensor:
        return space.sample(3, torch.Generator().manual_seed(seed)).latents

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))


def test_activations_are_what_the_modules_put_out(space, generator, rng):
    codes = space.sample(2, rng)
    outputs = space.activations(codes, ["linear", "blocks.1", "conv"])
    assert outputs["linear"].shape == (2, 128) and outputs["blocks.1"].shape == (2, 8, 16, 16)
    torch.testing.assert_close(outputs["conv"].tanh(), space.decode(codes))
    assert not any(module._forward_hooks for module in generator.modules())


def test_unknown_activations(space, rng):
    with pytest.raises(
        ValueError, match=r"names must be submodules of the generator, e.g. \['linear', .*, got \['nose'\]"
    ):
        space.activations(space.sample(1, rng), ["linear", "nose"])


def test_hooks_are_removed_after_a_failure(space, generator):
    with pytest.raises(RuntimeError):
        space.activations(Codes(torch.zeros(1, 3)), ["linear"])
    assert not any(module._forward_hooks for module in generator.modules())


def test_codes_keep_what_is_given():
    codes = Codes(torch.arange(6.0).reshape(3, 2), {"label": torch.tensor([7, 8, 9])})
    assert codes.moved(codes.latents + 1).given is codes.given
    chosen = codes.select(torch.tensor([2, 0]))
    assert chosen.latents.tolist() == [[4, 5], [0, 1]] and chosen.given["label"].tolist() == [9, 7]


def test_a_flat_space_shows_everything(space, rng):
    z = space.sample(5, rng).latents
    assert torch.equal(space.visible(z), z)
    torch.testing.assert_close(space.radius(z), z.norm(dim=1))


def test_a_sphere_hides_the_length(sphere, rng):
    codes = sphere.sample(5, rng)
    z, far = codes.latents, codes.moved(3 * codes.latents)
    torch.testing.assert_close(sphere.decode(far), sphere.decode(codes))
    torch.testing.assert_close(sphere.visible(far.latents), sphere.visible(z))
    torch.testing.assert_close(sphere.visible(z).norm(dim=1), torch.full((5,), 4.0))
    assert torch.equal(sphere.radius(far.latents), torch.ones(5))


@pytest.mark.parametrize("shape", [(3, 16), (3, 4, 16)])
def test_radius_is_a_number_a_sample(space, sphere, shape):
    assert space.radius(torch.ones(shape)).shape == sphere.radius(torch.ones(shape)).shape == (3,)
