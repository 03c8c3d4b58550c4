"""pSp, e4e and ReStyle: inversion by one pass of a trained encoder, or a few."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.base import Inverted, Inverter, Track, require_number, untracked
from latent_lab.inversion.encoders.files import EncoderFile, read_encoder
from latent_lab.inversion.encoders.style_encoder import StyleEncoder, resize


class LatentEncoder(nn.Module):
    r"""A network that maps images to latents of w+: it predicts offsets from the latents known so far, at first from
    the mean style.

    A network of twice the channels is shown the image and what the latents so far decode to: :math:`w_{t+1} = w_t +
    E(x, G(w_t))`, with :math:`w_0 = \bar w`.

    References:
        | ReStyle: A Residual-Based StyleGAN Encoder via Iterative Refinement (Alaluf et al., 2021), Eq. 2
        | https://arxiv.org/abs/2104.02699

    Arguments:
        network: Gives the offsets.
        mean: The mean style, with shape :math:`(L, D)`.
    """

    def __init__(self, network: StyleEncoder, mean: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean.clone())

    def refines(self, channels: int) -> bool:
        """Tell whether the network also sees what its latents decode to, for images of so many channels."""
        return self.network.image_channels == 2 * channels

    def start(self, num: int) -> Tensor:
        """Return the mean style as the first latents of ``num`` images, :math:`(N, L, D)`."""
        return self.mean.expand(num, -1, -1)

    def forward(self, seen: Tensor, latents: Tensor, reached: Tensor | None) -> Tensor:
        """Return the next latents :math:`(N, L, D)`. ``seen`` and ``reached`` are images of the network's resolution;
        ``reached`` is None unless the network refines."""
        inputs = seen if reached is None else torch.cat([seen, reached], 1)
        return latents + self.network(inputs)

    def encode(
        self,
        space: LatentSpace,
        images: Tensor,
        iterations: int,
        track: Track = untracked,
    ) -> Tensor:
        """Return latents :math:`(N, L, D)` of images :math:`(N, C, H, W)` after so many iterations."""
        seen, latents = resize(images, self.network.resolution), self.start(len(images))
        for _ in track(range(iterations), "encoder"):
            reached = self.decode_reached(space, latents) if self.refines(images.shape[1]) else None
            latents = self(seen, latents, reached)
        return latents

    def decode_reached(self, space: LatentSpace, latents: Tensor) -> Tensor:
        """Decode latents to images of the network's resolution. The space of a preview has only the first rows."""
        return resize(
            space.decode(space.codes(latents[:, : space.shape[0]], stored_noise=True)), self.network.resolution
        )


def require_space(space: LatentSpace, file: EncoderFile, encoder: LatentEncoder) -> None:
    """Check that a space is that of the encoder's latents.

    Raises:
        ValueError: It is another space, or that of another generator.
    """
    network = encoder.network
    if space.name != "w+" or space.shape != (network.rows, network.style_dim):
        raise ValueError(
            f"space must be w+ of {(network.rows, network.style_dim)}, which this encoder was trained for, "
            f"got {space.name} of {space.shape}"
        )
    if network.image_channels not in (space.generator.channels, 2 * space.generator.channels):
        raise ValueError(
            f"the encoder must read images of {space.generator.channels} channels, got one for {network.image_channels}"
        )
    known = space.generator.mapping.mean
    if file.own and not torch.allclose(encoder.mean[0].to(known), known, atol=1e-4):
        raise ValueError("weights is an encoder of another generator: its mean style is not that of gan")


class EncoderInverter(Inverter):
    """Codes of w+ found by a trained encoder. The generator's stored noise stays.

    References:
        | Encoding in Style: a StyleGAN Encoder for Image-to-Image Translation (Richardson et al., 2021)
        | https://arxiv.org/abs/2008.00951

    Arguments:
        weights: A file that ``latent_lab.train_encoder`` wrote, or a published one of pSp, e4e or ReStyle; also one
            that was read already.
        editable: Whether rows are differences from the first (e4e): what a published file that does not say so is; must
            agree with one that does. None takes what the file says.
        iterations: Passes of an encoder that refines (ReStyle); 1 for the others. None takes the file's number, by
            default 5 or 1.
    """

    prefers = ("w+",)

    def __init__(
        self, weights: str | EncoderFile | None, editable: bool | None = None, iterations: int | None = None
    ) -> None:
        train = "restyle" if editable is None else "e4e" if editable else "psp"
        self.file = weights if isinstance(weights, EncoderFile) else read_encoder(weights, train, editable)
        if "encoder" not in self.file.networks:
            raise ValueError(f"weights must hold an encoder, got {sorted(self.file.networks)} in {weights}")
        network = self.file.networks["encoder"]
        if editable is not None and editable != (network.deltas is not None):
            raise ValueError(
                f"weights is an encoder of {'psp' if editable else 'e4e'}, choose that inverter: {weights}"
            )
        if iterations is not None:
            require_number("inverter.iterations", iterations, 1, whole=True)
        self.encoder, self.iterations = LatentEncoder(network, self.file.mean), iterations

    def passes(self, channels: int) -> int:
        """Return how many times the encoder sees each image, for images of so many channels."""
        refines = self.encoder.refines(channels)
        if not refines and (self.iterations or 1) > 1:
            raise ValueError(
                "inverter.iterations must be 1 for an encoder that is not shown what it has reached, "
                f"got {self.iterations}"
            )
        return self.iterations or self.file.iterations or (5 if refines else 1)

    @torch.no_grad()
    def invert(
        self,
        space: LatentSpace,
        images: Tensor,
        rngs: Sequence[torch.Generator],
        track: Track = untracked,
    ) -> Inverted:
        require_space(space, self.file, self.encoder)
        latents = self.encoder.encode(space, images, self.passes(images.shape[1]), track)
        return Inverted(space.codes(latents, stored_noise=True))
