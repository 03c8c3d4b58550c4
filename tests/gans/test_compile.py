"""``compile=true`` reaches the generator's work, whichever way its images are asked for."""

import copy

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from latent_lab.loading import load_generator

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("gan", ["proggan", "biggan", "stylegan2", "stylegan3_afhq", "mobilestylegan"])
def test_images_come_from_compiled_code(gan):
    torch._dynamo.reset()
    generator, compiled = load_generator(gan, weights="random", size="tiny"), CompileCounter()
    space = generator.space(generator.spaces[-1])
    codes = space.sample(2, torch.Generator().manual_seed(0))
    plain = space.decode(codes)
    generator.compile(backend=compiled)
    torch.testing.assert_close(space.decode(codes), plain)
    assert compiled.op_count > 5
    other = copy.deepcopy(generator)
    for parameter in other.parameters():
        parameter.mul_(0.9)
    assert (other.space(space.name).decode(codes) - plain).abs().max() > 1e-4 and torch.equal(
        space.decode(codes), plain
    )
