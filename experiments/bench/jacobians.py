"""J^T J of an image in W beside the published way, row by row over the pixels, and GANSpace's pass over a million
samples of w:

    python experiments/bench/jacobians.py [pixels=256] [dim=512] [channels=512] [directions=512] [chunk=8] [rows=64]
    [samples=1000000] [accelerator=cpu]

StyleGAN2 with random weights. ``rows`` backward passes of one pixel each, as the code of LowRankGAN and ReSeFa makes
them (at 256 pixels all three channels), are timed and multiplied to all pixels; so are ``directions`` of the D
products, where fewer are asked for.
"""

import resource
import statistics
import sys

import torch
from generators import seconds

from latent_lab import load_generator
from latent_lab.methods.base import Context
from latent_lab.methods.ganspace import GANSpace
from latent_lab.ops.jacobian import metric_product


def rows_of_pixels(space, codes, rows: int) -> None:
    """Gradients of single pixels by the latent: the published loop."""
    latents = codes.latents.clone().requires_grad_()
    image = space.decode(codes.moved(latents)).flatten()
    for pixel in torch.linspace(0, len(image) - 1, rows).long().tolist():
        torch.autograd.grad(image[pixel], latents, retain_graph=True)


def memory(device: torch.device) -> float:
    """The largest memory until now, in GiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    defaults = {
        "pixels": "256",
        "dim": "512",
        "channels": "512",
        "directions": "512",
        "chunk": "8",
        "rows": "64",
        "samples": "1000000",
        "accelerator": "cpu",
    }
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    if given.keys() - defaults.keys():
        sys.exit(
            f"jacobians takes {', '.join(f'{key}={value}' for key, value in defaults.items())}; "
            f"got {sorted(given.keys() - defaults.keys())}"
        )
    o = defaults | given
    pixels, dim, channels, directions, chunk, rows, samples = (int(o[key]) for key in list(defaults)[:-1])
    device = torch.device("cuda" if o["accelerator"] == "gpu" else "cpu")
    place = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    widths = [min(channels, 512 * 64 // size) for size in (2**i for i in range(2, pixels.bit_length()))]
    options = {"latent_dim": dim, "style_dim": dim, "widths": widths, "mapping_layers": 8}
    config = {
        "_target_": "latent_lab.gans.stylegan2.StyleGAN2",
        "classes": 0,
        "image_channels": 3,
        "clamp": None,
        **options,
    }
    space = load_generator("stylegan2", weights="random", generator=config).to(device).space("w")
    print(f"StyleGAN2 of {pixels} pixels, widths {widths}, D = {dim}, {place}, torch {torch.__version__}")

    if samples:
        context = Context(trainer=None, seed=0, rng=torch.Generator().manual_seed(0))
        before = memory(device)
        passed = seconds(lambda: GANSpace(num_paths=min(80, dim), samples=samples).fit(space, context), device)
        print(
            f"ganspace, {samples} samples of w: {passed:.1f} s, largest memory {memory(device):.2f} GiB "
            f"({before:.2f} before)",
            flush=True,
        )

    codes = space.sample(1, torch.Generator().manual_seed(0))
    weights = torch.ones(1, 1, pixels, pixels, device=device)
    axes = torch.eye(dim, device=device)[:directions]
    decode = statistics.median(seconds(lambda: space.decode(codes), device) for _ in range(3))
    published = seconds(lambda: rows_of_pixels(space, codes, rows), device) / rows * 3 * pixels**2
    own = seconds(lambda: metric_product(space, codes, axes, weights, chunk=chunk), device) / directions * dim
    said = "" if directions == dim else f", from {directions} of {dim} directions"
    print(f"one image: {decode:.3f} s; largest memory {memory(device):.2f} GiB, chunk={chunk}")
    print(f"J^T J, row by row over {3 * pixels**2} pixels: {published:.0f} s, from {rows} rows")
    print(f"J^T J, forward and reverse products: {own:.1f} s{said}; ratio {published / own:.0f} (goal: at least 20)")


if __name__ == "__main__":
    main()
