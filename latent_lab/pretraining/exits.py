"""An early exit of MobileStyleGAN: the first blocks, with colours fitted to the images of the whole network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_lab.gans.mobilestylegan import MobileStyleGAN, haar


def early_exit(whole: MobileStyleGAN, pixels: int) -> MobileStyleGAN:
    """Return a generator of images of ``pixels`` a side that stops at the block of this size. Its colours are
    untrained."""
    sizes = [block.conv1.noise.shape[0] for block in whole.blocks]
    if pixels not in sizes[:-1]:
        raise ValueError(f"pixels must be one of {sizes[:-1]}, got {pixels}")
    depth = sizes.index(pixels) + 1
    part = MobileStyleGAN(**whole.config | {"widths": whole.config["widths"][: depth + 1], "pixels": pixels})
    kept = {
        name: value
        for name, value in whole.state_dict().items()
        if name in part.state_dict() and not name.startswith("rgb.")
    }
    part.load_state_dict(part.state_dict() | kept)
    return part.eval()


@torch.no_grad()
def examples(
    whole: MobileStyleGAN, part: MobileStyleGAN, num: int, points: int, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Return styles :math:`(N, D)`, features :math:`(N, P, C)` at the exit, and the image's bands there :math:`(N, P,
    4 \cdot 3)`, at random places."""
    found, space, last = [], whole.space("w"), f"blocks.{len(part.blocks) - 1}.conv2"
    for _ in range(num):
        codes = space.sample(1, rng)
        (features,) = part.space("w").activations(codes, [last]).values()
        image = F.avg_pool2d(whole.decode("w", codes), whole.resolution // part.resolution // 2)
        place = torch.randint(part.resolution**2, (points,), generator=rng).to(image.device)
        found.append((codes.latents[0], features.flatten(2)[0, :, place].mT, haar(image).flatten(2)[0, :, place].mT))
    return tuple(torch.stack(parts) for parts in zip(*found))


def fit_exit(
    whole: MobileStyleGAN, pixels: int, num: int = 100, points: int = 2000, steps: int = 1500, seed: int = 0
) -> MobileStyleGAN:
    """Return the early exit with colours fitted on samples: first one linear map (least squares), then its modulation
    by the styles (Adam).

    Arguments:
        whole: The whole generator, without classes.
        pixels: Side of the exit's images.
        num: Number of samples of w that the whole generator decodes.
        points: Number of places of each image that are fitted.
        steps: Steps of Adam, on 16 samples each.
        seed: Seed of samples, places and batches.
    """
    rng = torch.Generator().manual_seed(seed)
    part = early_exit(whole, pixels)
    styles, features, bands = examples(whole, part, num, points, rng)
    inputs = F.pad(features.flatten(0, 1), (0, 1), value=1.0).double()
    gram = inputs.mT @ inputs
    solution = torch.linalg.solve(
        gram + 1e-6 * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device).double(),
        inputs.mT @ bands.flatten(0, 1).double(),
    )
    head = part.rgb.requires_grad_(True)
    with torch.no_grad():
        head.weight.copy_(solution[:-1].mT)
        head.bias.copy_(solution[-1])
        head.affine.weight.zero_()
        head.affine.bias.fill_(1.0)
    optimiser = torch.optim.Adam(head.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        batch = torch.randint(num, (min(16, num),), generator=rng)
        # what the head does, but scaling kernels, which are few
        kernels = head.weight * head.affine(styles[batch])[:, None]
        found = torch.baddbmm(head.bias, features[batch], kernels.mT)
        loss = (found - bands[batch]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return part.requires_grad_(False)
