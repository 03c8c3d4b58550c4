"""Seconds an image of each synthesis network beside the plain reading of the official code, alternating in one process:

    python experiments/bench/generators.py [gans=stylegan2_celebahq,stylegan2,stylegan3_afhq,mobilestylegan] [batch=1]
    [repeats=3]
        [backward=false] [accelerator=cpu] [precision=float32] [compile=false]

Weights are random, sizes are the official ones; with backward=true a step goes back to the latents. On a GPU the bound
is not asked for; memory is printed instead.
"""

import statistics
import sys
import time

import plain
import torch
from torch import Tensor

from latent_lab import load_generator
from latent_lab.cpu_memory import keep_freed_memory

PLAIN = {
    "stylegan2_celebahq": (plain.stylegan2, 2),
    "stylegan2": (plain.stylegan2, 2),
    "stylegan3_afhq": (plain.stylegan3, 6),
}
PLAIN |= {
    "mobilestylegan": (plain.mobilestylegan, 3),
    "stylegan2_car": (plain.stylegan2, 2),
    "stylegan3_afhq_r": (plain.stylegan3, 6),
}


def seconds(work, device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(
    name: str, batch: int, repeats: int, backward: bool, device: torch.device, precision: torch.dtype, compiled: bool
) -> str:
    generator = load_generator(name, weights="random").to(device)
    space = generator.space("w+")
    codes = space.sample(batch, torch.Generator().manual_seed(0))
    codes = codes.moved(codes.latents.detach().requires_grad_(backward))
    decode = torch.compile(space.decode) if compiled else space.decode

    def ours():
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            return decode(codes)

    reading, bound = PLAIN[name]

    def step(work) -> Tensor:
        with torch.set_grad_enabled(backward):
            images = work()
            if backward:
                torch.autograd.grad(images.float().square().mean(), codes.latents)
        return images.detach().float()

    expected, found = step(lambda: reading(generator, codes.latents)), step(ours)
    error = ((found - expected).abs().max() / expected.abs().max()).item()
    times = [
        (seconds(lambda: step(lambda: reading(generator, codes.latents)), device), seconds(lambda: step(ours), device))
        for _ in range(repeats)
    ]
    floor, own = (statistics.median(column) / batch for column in zip(*times))
    memory = f"{torch.cuda.max_memory_allocated() / 2**30:8.2f} GiB" if device.type == "cuda" else ""
    return f"{name:20}{generator.resolution:6}{floor:12.4f}{own:12.4f}{floor / own:8.2f}{bound:8}{error:12.1e}{memory}"


def main() -> None:
    defaults = {
        "gans": "stylegan2_celebahq,stylegan2,stylegan3_afhq,mobilestylegan",
        "batch": "1",
        "repeats": "3",
        "backward": "false",
    }
    defaults |= {"accelerator": "cpu", "precision": "float32", "compile": "false"}
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    unknown = [*(given.keys() - defaults.keys()), *(set((defaults | given)["gans"].split(",")) - PLAIN.keys())]
    if unknown:
        sys.exit(
            f"generators takes {', '.join(f'{key}={value}' for key, value in defaults.items())}, "
            f"gans of {list(PLAIN)}; got {unknown}"
        )
    o = defaults | given
    device = torch.device("cuda" if o["accelerator"] == "gpu" else "cpu")
    place = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    keep_freed_memory()  # as the commands do
    print(
        f"batch {o['batch']}, backward={o['backward']}, {o['precision']}, compile={o['compile']}, {place}, "
        f"torch {torch.__version__}; median of {o['repeats']}"
    )
    print(f"{'gan':20}{'pixels':>6}{'plain [s]':>12}{'ours [s]':>12}{'ratio':>8}{'bound':>8}{'difference':>12}")
    for name in o["gans"].split(","):
        options = (
            int(o["batch"]),
            int(o["repeats"]),
            o["backward"] == "true",
            device,
            getattr(torch, o["precision"]),
            o["compile"] == "true",
        )
        print(measure(name, *options), flush=True)


if __name__ == "__main__":
    main()
