"""GLO: a convolutional generator that was trained with one latent per image, and the distribution of those latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latent_lab.gans.base import Generator
from latent_lab.gans.codes import Codes


def project_to_ball(latents: Tensor) -> Tensor:
    """Return the nearest points of the unit ball: latents outside of it are shortened to length 1.

    Example:
        >>> project_to_ball(torch.tensor([[3.0, 4.0], [0.3, 0.4]]))
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
    """
    return latents / torch.linalg.vector_norm(latents, dim=-1, keepdim=True).clamp_min(1)


class GLO(Generator):
    r"""DCGAN's generator on the unit ball, for images of :math:`4 \cdot 2^{B}` pixels a side, B the number of widths.

    A sample is drawn from the full-covariance Gaussian of the learned latents and projected onto the ball they were
    learned on.

    References:
        | Optimizing the Latent Space of Generative Networks (Bojanowski et al., 2017), Sections 2 and 3
        | https://arxiv.org/abs/1707.05776
        | Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks (Radford et al.,
          2015)
        | https://arxiv.org/abs/1511.06434

    Arguments:
        latent_dim: Size D of a latent, :math:`\|z\| \le 1`.
        widths: Channels at 4x4 and after each doubling but the last.
        image_channels: 1 for grey, 3 for colour.

    Example:
        >>> space = GLO(latent_dim=4, widths=(8, 4), image_channels=1).space()
        >>> codes = space.sample(100, torch.Generator().manual_seed(0))
        >>> bool((codes.latents.norm(dim=1) < 1 + 1e-6).all()), space.decode(codes).shape
        (True, torch.Size([100, 1, 16, 16]))
    """

    mean: Tensor
    scale: Tensor

    spaces = ("z",)

    def __init__(self, latent_dim: int = 64, widths: Sequence[int] = (128, 64, 32), image_channels: int = 3) -> None:
        super().__init__()
        widths = list(widths)
        if not widths or min(latent_dim, image_channels, *widths) < 1:
            raise ValueError(
                f"latent_dim, image_channels and at least one width must be positive, got {latent_dim}, "
                f"{image_channels}, {widths}"
            )
        self.resolution, self.channels = 4 * 2 ** len(widths), image_channels
        self.linear = nn.Linear(latent_dim, 16 * widths[0], bias=False)
        self.norm = nn.BatchNorm2d(widths[0])
        layers: list[nn.Module] = []
        for inner, outer in zip(widths, widths[1:]):
            layers += [nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], image_channels, 4, 2, 1))
        for module in self.modules():
            if isinstance(module, nn.ConvTranspose2d):
                nn.init.normal_(module.weight, 0.0, 0.02)  # DCGAN's
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("scale", torch.eye(latent_dim) / latent_dim**0.5)  # Cholesky factor of the covariance

    def forward(self, z: Tensor) -> Tensor:
        x = self.linear(z).unflatten(1, (-1, 4, 4)).contiguous(memory_format=torch.channels_last)
        return self.layers(self.norm(x).relu()).tanh()

    def fit_prior(self, latents: Tensor) -> None:
        """Set the mean and the covariance of samples to those of learned latents :math:`(N, D)`, more than D of
        them."""
        centred = latents.double() - latents.double().mean(0)
        covariance = centred.mT @ centred / (len(latents) - 1)
        # a coordinate that is never used has none
        covariance.diagonal().add_(1e-6 * covariance.trace() / len(covariance))
        self.mean.copy_(latents.mean(0))
        self.scale.copy_(torch.linalg.cholesky(covariance))

    def latent_shape(self, space: str) -> tuple[int, ...]:
        return (self.linear.in_features,)

    def first_weights(self, space: str) -> list[Tensor]:
        return [self.linear.weight]

    def sample(self, space: str, num: int, rng: torch.Generator, truncation: float = 1.0) -> Codes:
        noise = torch.randn(num, self.linear.in_features, generator=rng).to(self.mean)
        return Codes(project_to_ball(self.mean + truncation * noise @ self.scale.mT))

    def decode(self, space: str, codes: Codes) -> Tensor:
        return self(codes.latents)
