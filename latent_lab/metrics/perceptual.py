"""Perceptual distance of pairs of images, by a network that is on this machine: nothing is fetched."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from latent_lab.attributes.user_files import load_user_file


class LPIPSDistance(nn.Module):
    """LPIPS of pairs of images in [-1, 1], with shape :math:`(N,)`. Images below 64 pixels are enlarged, grey ones
    repeated.

    References:
        | The Unreasonable Effectiveness of Deep Features as a Perceptual Metric (Zhang et al., 2018)
        | https://arxiv.org/abs/1801.03924

    Arguments:
        net: ``alex``, ``vgg`` or ``squeeze``.
        backbone: File of the torchvision network's weights (the last layers come with the lpips package); None is
            torch's cache, where ``torchvision.models`` leaves them.
    """

    files = {"alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth", "squeeze": "squeezenet1_1-b8a52dc0.pth"}

    def __init__(self, net: str = "alex", backbone: str | None = None) -> None:
        super().__init__()
        if net not in self.files:
            raise ValueError(f"net must be one of {tuple(self.files)}, got {net!r}")
        file = Path(backbone) if backbone else Path(torch.hub.get_dir()) / "checkpoints" / self.files[net]
        if not file.is_file():
            raise FileNotFoundError(
                f"LPIPS needs the weights of {net} at {file}; put {self.files[net]} there, or name the file in backbone"
            )
        import lpips
        import torchvision

        names = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
        whole = getattr(torchvision.models, names[net])(weights=None)
        load_user_file(whole, str(file))
        self.distance = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval().requires_grad_(False)
        # lpips cuts the network into slices that keep the layers' numbers
        layers = dict(whole.features.named_children())
        for part in self.distance.net.children():
            for number, layer in part.named_children():
                layer.load_state_dict(layers[number].state_dict())

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        if one.shape[1] == 1:
            one, other = one.expand(-1, 3, -1, -1), other.expand(-1, 3, -1, -1)
        if one.shape[-1] < 64:
            one, other = (nn.functional.interpolate(images, size=(64, 64), mode="bilinear") for images in (one, other))
        return self.distance(one, other).flatten()
