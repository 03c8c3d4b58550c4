"""A step of inversion beside its floor, in one process: python experiments/bench/inversion.py [gan=mobilestylegan_256]
[size=full] [batch=1] [steps=4] [repeats=5] [accelerator=cpu]

The floor is the generator forward and backward to what is optimised, and the feature network forward and backward to
the image, where the step compares by one. Step and floor alternate, so that a busy machine slows both; i2s is
Image2StyleGAN, w+ and noise are Image2StyleGAN++'s masked steps. Without `make faces` there is no feature network, and
only pixels are compared. Weights are random unless weights=null names the configuration's own.
"""

import functools
import statistics
import sys
from collections.abc import Callable

import torch
from generators import seconds
from torch import Tensor

from latent_lab import load_generator
from latent_lab.cpu_memory import keep_freed_memory
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.optimisation import i2s as optimise
from latent_lab.inversion.optimisation.descent import Descent
from latent_lab.inversion.optimisation.i2s import Image2StyleGAN
from latent_lab.inversion.optimisation.masked import BuildingBlocks, mean_codes
from latent_lab.workflows.build import compose_config, network_if_here

BOUND = 1.15


def floor(
    space: LatentSpace, images: Tensor, features: torch.nn.Module | None, noise: bool, steps: int, last: bool = False
) -> Callable[[], None]:
    """The networks' own work in so many steps; with ``last`` they look once more at what came of them."""
    codes = mean_codes(space, len(images))
    maps = (
        [value.expand(len(images), 1, *value.shape).clone().requires_grad_() for value in space.generator.noise_maps()]
        if noise
        else []
    )
    leaves = maps or [codes.latents.requires_grad_()]
    codes = codes.with_given({f"noise.{i}": value for i, value in enumerate(maps)})

    def work() -> None:
        for _ in range(steps):
            made = space.decode(codes)
            gradients = torch.ones_like(made)
            if features is not None:
                seen = made.detach().requires_grad_()
                found = list(features(seen).values())
                (gradients,) = torch.autograd.grad(found, seen, [torch.ones_like(one) for one in found])
            torch.autograd.grad(made, leaves, gradients)
        with torch.no_grad():
            if last and features is not None:
                features(space.decode(codes))

    return work


def main() -> None:
    defaults = {
        "gan": "mobilestylegan_256",
        "size": "full",
        "weights": "random",
        "batch": "1",
        "steps": "4",
        "repeats": "5",
        "accelerator": "cpu",
    }
    o = defaults | dict(argument.split("=", 1) for argument in sys.argv[1:])
    if o.keys() - defaults.keys():
        sys.exit(
            f"inversion takes {', '.join(f'{key}={value}' for key, value in defaults.items())}; "
            f"got {sorted(o.keys() - defaults.keys())}"
        )
    keep_freed_memory()  # as the commands do
    device = torch.device("cuda" if o["accelerator"] == "gpu" else "cpu")
    options = {"weights": None if o["weights"] == "null" else o["weights"]} | (
        {"size": o["size"]} if o["size"] != "full" else {}
    )
    space = load_generator(o["gan"], **options).to(device).space("w+")
    dataset = compose_config("train", [f"gan={o['gan']}"]).dataset
    features, missing = network_if_here(dataset.features)
    if missing:
        print(f"without a feature network: {missing}")
    features = None if features is None else features.to(device)
    with torch.no_grad():
        images = space.decode(space.sample(int(o["batch"]), torch.Generator().manual_seed(0))).clamp(-1, 1)
    steps = int(o["steps"])  # of each measurement: more make what comes before the first count less
    descent = Descent(steps, 0.01)
    blocks, start = BuildingBlocks(features, descent, descent), mean_codes(space, len(images))
    half = torch.ones_like(images[:1, :1])
    half[..., : half.shape[3] // 2] = 0
    likeness, pixels = blocks.likeness(images, half), blocks.pixels_of(images, images, half)
    i2s = Image2StyleGAN(features, steps=steps)
    optimise.moments = functools.cache(optimise.moments)  # of the prior, once a generator: no part of a step
    rngs = [torch.Generator() for _ in images]
    works = {
        "i2s": (
            lambda: i2s.invert(space, images, rngs),
            floor(space, images, features, noise=False, steps=steps, last=True),
        ),
        "w+": (lambda: blocks.w_plus(space, start, likeness), floor(space, images, features, noise=False, steps=steps)),
        "noise": (lambda: blocks.noise(space, start, pixels), floor(space, images, None, noise=True, steps=steps)),
    }
    place = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(
        f"{o['gan']} {o['size']}, {type(features).__name__}, batch {o['batch']}, {place}, torch {torch.__version__}; "
        f"median of {o['repeats']}"
    )
    print(f"{'step':10}{'floor [s]':>12}{'step [s]':>12}{'ratio':>9}{'bound':>9}")
    for name, (work, least) in works.items():
        least(), work()  # warm
        times = [(seconds(least, device), seconds(work, device)) for _ in range(int(o["repeats"]))]
        ratio = statistics.median(step / base for base, step in times)
        base, step = (statistics.median(column) / steps for column in zip(*times))
        print(f"{name:10}{base:12.4f}{step:12.4f}{ratio:9.3f}{BOUND:9.2f}", flush=True)


if __name__ == "__main__":
    main()
