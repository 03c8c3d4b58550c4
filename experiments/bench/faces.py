"""What photographs cost (make faces first): MobileStyleGAN at 1024 pixels, its exits, bfloat16, and the scoring of its
images.

    python experiments/bench/faces.py [batch=2] [repeats=3] [accelerator=cpu]

All rows alternate in one process. Scoring is every attribute and the identity of dataset=faces.
"""

import statistics
import sys

import torch
from generators import seconds
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor

from latent_lab import load_generator
from latent_lab.cpu_memory import keep_freed_memory
from latent_lab.gans.space import LatentSpace
from latent_lab.installation import CONF
from latent_lab.pretraining.exits import early_exit


def step(space: LatentSpace, latents: Tensor, precision: torch.dtype) -> Tensor:
    """Images of W, and their gradient at the latents."""
    codes = space.sample(len(latents), torch.Generator().manual_seed(0))
    latents = latents.detach().requires_grad_()
    with torch.autocast(latents.device.type, precision, enabled=precision != torch.float32):
        images = space.decode(codes.moved(latents))
    torch.autograd.grad(images.float().square().mean(), latents)
    return images.detach().float()


def main() -> None:
    defaults = {"batch": "2", "repeats": "3", "accelerator": "cpu"}
    o = defaults | dict(argument.split("=", 1) for argument in sys.argv[1:])
    if o.keys() - defaults.keys():
        sys.exit(
            f"faces takes {', '.join(f'{key}={value}' for key, value in defaults.items())}; "
            f"got {sorted(o.keys() - defaults.keys())}"
        )
    keep_freed_memory()
    device = torch.device("cuda" if o["accelerator"] == "gpu" else "cpu")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        dataset = compose("train", ["dataset=faces"]).dataset
    attributes, identity = instantiate(dataset.attributes).to(device), instantiate(dataset.identity).to(device)
    whole = load_generator("mobilestylegan").to(device)
    spaces = {
        pixels: early_exit(whole, pixels).requires_grad_(False).to(device).space("w", truncation=0.7)
        for pixels in (64, 256)
    }
    space = spaces[1024] = whole.space("w", truncation=0.7)
    codes = space.sample(int(o["batch"]), torch.Generator().manual_seed(0))
    images = step(space, codes.latents, torch.float32)
    error = (images - step(space, codes.latents, torch.bfloat16)).square().flatten(1).mean(1)
    psnr = -10 * (error / 4).log10()  # the range is 2

    @torch.no_grad()
    def score() -> None:
        attributes.measure(space, codes, images)
        identity.measure(space, codes, images)

    works = {
        "1024, forward": torch.no_grad()(lambda: space.decode(codes)),
        "1024, forward and backward": lambda: step(space, codes.latents, torch.float32),
        "1024, forward and backward, bfloat16": lambda: step(space, codes.latents, torch.bfloat16),
        "exit of 256, forward and backward": lambda: step(spaces[256], codes.latents, torch.float32),
        "exit of 64, forward and backward": lambda: step(spaces[64], codes.latents, torch.float32),
        "scoring at 1024": score,
    }
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(int(o["repeats"])):
        for name, work in works.items():
            times[name].append(seconds(work, device) / len(images))
    place = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"batch {o['batch']}, {place}, torch {torch.__version__}; seconds an image, median of {o['repeats']}")
    for name, found in times.items():
        print(f"{name:40}{statistics.median(found):10.4f}")
    forward, both, half, exit256, exit64, scoring = map(statistics.median, times.values())
    print(f"bfloat16 {both / half:.2f} x as fast, {psnr.min():.1f} dB at least (wanted 40 dB)")
    print(f"exit of 256 pixels {both / exit256:.2f} x as fast (wanted 6), of 64 {both / exit64:.2f} x")
    print(f"scoring costs {scoring / forward:.2f} of decoding (wanted at most 0.3)")


if __name__ == "__main__":
    main()
