"""Parts that many tests share: seeded random numbers, a tiny generator, and one that normalises its latents."""

from __future__ import annotations

import logging
from pathlib import Path

import latent_lab.cpu_torchvision  # noqa: F401  (before lightning and torchmetrics, whichever test comes first)

import pytest
import torch
from torch import Tensor, nn

from latent_lab.console import printed
from latent_lab.gans.base import Generator
from latent_lab.gans.codes import Codes
from latent_lab.gans.sngan import SNGAN
from latent_lab.gans.space import LatentSpace

torch.set_num_threads(1)  # the networks are so small that threads only cost


class SphereGenerator(Generator):
    """PixelNorm, then one linear layer: it cannot see how long a latent is."""

    spaces, spherical, resolution, channels = ("z",), ("z",), 8, 1

    def __init__(self, latent_dim: int = 16) -> None:
        super().__init__()
        self.linear = nn.Linear(latent_dim, 64)

    def latent_shape(self, space: str) -> tuple[int, ...]:
        return (self.linear.in_features,)

    def first_weights(self, space: str) -> list[Tensor]:
        return [self.linear.weight]

    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float) -> Codes:
        return Codes(truncation * torch.randn(num, self.linear.in_features, generator=rng))

    def decode(self, space: str, codes: Codes) -> Tensor:
        z = codes.latents / codes.latents.square().mean(-1, keepdim=True).sqrt()
        return self.linear(z).tanh().unflatten(1, (1, 8, 8))


@pytest.fixture
def spoken():
    """What is logged is printed, as while a command runs."""
    with printed():
        yield


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def generator() -> SNGAN:
    """Random weights and statistics; 16 coordinates to grey images of 32x32 pixels."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = SNGAN(latent_dim=16, widths=[8, 8, 8, 8], image_channels=1)
        for module in generator.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return generator


@pytest.fixture
def space(generator: SNGAN) -> LatentSpace:
    return generator.space()


@pytest.fixture
def sphere() -> LatentSpace:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SphereGenerator().space()


@pytest.fixture
def undrawn(request, monkeypatch):
    """Figures are laid out but not drawn, which takes a third of a short run; tests/figures draw them, and so do tests
    marked ``drawn``."""
    if request.node.get_closest_marker("drawn"):
        return
    from matplotlib.figure import Figure
    from PIL import Image

    def save(figure: Figure, file, **options) -> None:
        Image.new("L", tuple(round(10 * inches) for inches in figure.get_size_inches())).save(file, "PNG")

    monkeypatch.setattr(Figure, "savefig", save)


@pytest.fixture
def unconfigured(monkeypatch) -> None:
    """Logging as a fresh process has it: a command that ran before has left Hydra's handlers."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    logging.getLogger("latent_lab").manager._clear_cache()


COMMANDS = ("workflows", "test_cli.py", "test_extending.py", "test_readme.py", "test_tutorials.py", "test_package.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that run whole commands."""
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in COMMANDS:
            item.add_marker(pytest.mark.command)
