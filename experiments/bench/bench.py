"""A training step of each method beside its floor, in one process: python experiments/bench/bench.py [size=paper]
[steps=3] [batch=128] ...

The floor is the generator alone at the same batch and precision: one forward without a graph, one forward and backward
to the latent. A step can never be faster, for it needs both decodes. Step and floor alternate, so that a busy machine
slows both.
"""

import logging
import statistics
import sys
import time
import warnings
from functools import partial

import latent_lab.cpu_torchvision  # noqa: F401  (before lightning)

import pytorch_lightning as pl
import torch

from latent_lab.attributes.digits import DigitAttributes
from latent_lab.cpu_memory import keep_freed_memory
from latent_lab.evaluation.observe import observe
from latent_lab.evaluation.plan import make_plan
from latent_lab.evaluation.protocol import Protocol
from latent_lab.evaluation.subject import Subject
from latent_lab.gans.sngan import SNGAN
from latent_lab.methods.base import Context
from latent_lab.methods.reconstructor_guided import ReconstructorGuided
from latent_lab.methods.reconstructor_training import Objective
from latent_lab.metrics.commutativity import Commutativity
from latent_lab.metrics.edit_length import EditLengths
from latent_lab.metrics.round_trip import RoundTrip
from latent_lab.metrics.side_effects import SideEffects
from latent_lab.paths.curvilinear import CurvilinearPaths
from latent_lab.paths.linear import LinearPaths
from latent_lab.paths.rbf import RBFPaths
from latent_lab.reconstructors.lenet import LeNetReconstructor

SIZES = {"paper": dict(latent_dim=128, widths=[256] * 4), "embedded": dict(latent_dim=64, widths=[64, 64, 32, 16])}
# paths, number of paths, amounts, objective; the bound is what DESIGN asks of the paper's size on a CPU
METHODS = {
    "linear": (partial(LinearPaths, kind="orthogonal"), 64, (0.5, 6.0), Objective(), 1.10),
    "warped": (partial(RBFPaths, num_dipoles=128), 64, (0.15, 0.25), Objective(), 1.10),
    "coupling": (partial(CurvilinearPaths, flow="coupling"), 64, (0.1, 6.0), Objective(length=1.0), 1.15),
    "ffjord": (partial(CurvilinearPaths, flow="ffjord"), 64, (0.1, 6.0), Objective(log_det=1.0), 1.50),
}


class Stopwatch(pl.Callback):
    """Times the floor before each step, then the step with its backward pass and update; the first of each warms up."""

    def __init__(self, batch: int, precision: str) -> None:
        self.batch, self.precision = batch, precision
        self.floors: list[float] = []
        self.steps: list[float] = []

    def now(self, module: pl.LightningModule) -> float:
        if module.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def on_train_batch_start(self, trainer, module, batch, batch_idx) -> None:
        latents = torch.randn(self.batch, *module.space.shape, device=module.device)
        start = self.now(module)
        with torch.autocast(module.device.type, torch.bfloat16, enabled=self.precision == "bf16-mixed"):
            with torch.no_grad():
                module.space.generator(latents)
            latents.requires_grad_()
            images = module.space.generator(latents)
        torch.autograd.grad(images, latents, torch.ones_like(images))
        self.floors.append(self.now(module) - start)
        self.start = self.now(module)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:
        self.steps.append(self.now(module) - self.start)


def measure(name: str, size: str, batch: int, steps: int, precision: str, accelerator: str) -> tuple[float, float]:
    """Median seconds of the floor and of a step."""
    paths, num_paths, amounts, objective, _ = METHODS[name]
    torch.manual_seed(0)
    space = SNGAN(**SIZES[size], image_channels=1).space()
    method = ReconstructorGuided(paths, LeNetReconstructor, num_paths, objective, amounts, batch, 1e-4, 1e-4)
    watch = Stopwatch(batch, precision)
    quiet = dict(
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    trainer = pl.Trainer(
        max_steps=steps + 1,
        max_epochs=-1,
        accelerator=accelerator,
        devices=1,
        precision=precision,
        callbacks=[watch],
        **quiet,
    )
    method.fit(space, Context(trainer, 0, torch.Generator().manual_seed(0)))
    return statistics.median(watch.floors[1:]), statistics.median(watch.steps[1:])


def measure_evaluation(size: str, batch: int, seconds: float = 20) -> tuple[float, float]:
    """Images a second of the bare generator, and of the streamed evaluation with attributes, at the same batch."""
    torch.manual_seed(0)
    space = SNGAN(**SIZES[size], image_channels=1).space()
    subject = Subject(space, LinearPaths(*space.shape, 16), DigitAttributes())
    options = dict(
        num_paths=8,
        num_latents=1000,
        prior_latents=2 * batch,
        ranking_latents=1,
        matrix_latents=1,
        length=6.0,
        resamples=10,
    )
    protocol = Protocol(
        "bench", 0, changes=[-0.5, 0.5], pairs=8, candidates=3, targets=None, batch_size=batch, strip_steps=3, **options
    )
    plan = make_plan(subject, protocol)
    metrics = {
        "commutativity": Commutativity(),
        "side_effects": SideEffects(),
        "length": EditLengths(),
        "round_trip": RoundTrip(),
    }
    count, num = 0, max(1, batch // protocol.pairs)
    decode = space.decode

    def counted(codes):
        nonlocal count
        count += len(codes)
        return decode(codes)

    space.decode = counted
    rates: dict[str, list[float]] = {"bare": [], "evaluate": []}
    first, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end or len(rates["bare"]) < 3:
        count, start = 0, time.perf_counter()
        observe(subject, plan, protocol, metrics, first, num)
        rates["evaluate"].append(count / (time.perf_counter() - start))
        codes, images, start = space.sample(batch, torch.Generator().manual_seed(first)), 0, time.perf_counter()
        with torch.no_grad():
            while images < count:
                decode(codes)
                images += batch
        rates["bare"].append(images / (time.perf_counter() - start))
        first += num
    return statistics.median(rates["bare"][1:]), statistics.median(rates["evaluate"][1:])


def main() -> None:
    warnings.filterwarnings("ignore")
    keep_freed_memory()  # as the commands do
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    defaults = {
        "size": "paper",
        "batch": "128",
        "steps": "3",
        "precision": "32-true",
        "accelerator": "cpu",
        "methods": ",".join(METHODS),
    }
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    unknown = given.keys() - defaults.keys()
    if unknown:
        sys.exit(f"bench takes {', '.join(f'{key}={value}' for key, value in defaults.items())}; got {sorted(unknown)}")
    o = defaults | given
    device = torch.cuda.get_device_name() if o["accelerator"] == "gpu" else f"CPU, {torch.get_num_threads()} threads"
    print(
        f"SNGAN {o['size']}, batch {o['batch']}, {o['precision']}, {device}, torch {torch.__version__}; "
        f"median of {o['steps']}"
    )
    print(f"{'method':10}{'floor [s]':>12}{'step [s]':>12}{'ratio':>9}{'bound':>9}")
    for name in filter(None, o["methods"].split(",")):
        floor, step = measure(name, o["size"], int(o["batch"]), int(o["steps"]), o["precision"], o["accelerator"])
        print(f"{name:10}{floor:12.4f}{step:12.4f}{step / floor:9.3f}{METHODS[name][-1]:9.2f}", flush=True)
    if o["accelerator"] == "cpu":
        bare, evaluated = measure_evaluation(o["size"], min(int(o["batch"]), 64))
        print(
            f"evaluation: {evaluated:.0f} images/s, bare generator {bare:.0f}, "
            f"ratio {evaluated / bare:.3f} (at least 0.90)"
        )


if __name__ == "__main__":
    main()
