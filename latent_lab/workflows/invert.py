"""The command ``invert``: pictures become codes, in a folder that the other commands read."""

from __future__ import annotations

import hashlib
import time
import zlib

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

from latent_lab.attributes.base import Predictor
from latent_lab.console import log
from latent_lab.data.photographs import Batch, HeldOut, Photographs, make_absolute, read_batches
from latent_lab.data.pictures import find_pictures, read_photograph, to_tensor
from latent_lab.devices import put_on
from latent_lab.editing.inversions import Inversions
from latent_lab.figures.strips import encode_png
from latent_lab.gans.base import Generator
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.base import Inverter, require_number
from latent_lab.inversion.keeper import Keeper
from latent_lab.loading import choose_device
from latent_lab.metrics.reconstruction import reconstruction_scores
from latent_lab.ops.streams import INITIAL, stream
from latent_lab.progress import track
from latent_lab.runs import hash_weights
from latent_lab.workflows.begin import open_run
from latent_lab.workflows.build import build_data, build_generator, network_if_here

SHOWN = 16  # pictures of the overview, and their longest side in pixels
SHOWN_SIDE = 256


def preferred(generator: Generator, inverter: Inverter, name: str | None) -> LatentSpace:
    """Return the space that codes are searched in."""
    name = next((space for space in inverter.prefers if space in generator.spaces), None) if name is None else name
    return generator.space(name)


def overview(inversions: Inversions) -> bytes:
    """Draw the first pictures above their reconstructions, from their own files."""
    columns = []
    for name in inversions.list_names()[:SHOWN]:
        picture, _ = read_photograph(inversions.run.folder / "pictures" / f"{name}.png")
        picture.thumbnail((2 * SHOWN_SIDE, SHOWN_SIDE))
        columns.append(to_tensor(picture, 3))
        if columns[-1].shape != columns[0].shape:
            raise ValueError(
                f"{inversions.run.folder / 'pictures'} must hold pictures of one size, got another in {name}.png"
            )
    halves = torch.stack(columns)
    side = halves.shape[2]
    return encode_png([halves[..., :side], halves[..., -side:]])


def invert_batch(
    inversions: Inversions,
    space: LatentSpace,
    inverter: Inverter,
    batch: Batch,
    common: dict,
    seed: int,
    networks: tuple[nn.Module | None, nn.Module | None],
    halved: bool,
    keeper: Keeper,
) -> None:
    """Invert some pictures and write the results, with their scores and the values in ``common`` that all share."""
    names, pixels, known = batch
    images = (pixels.float() / 127.5 - 1).to(space.device)
    start = time.perf_counter()
    rngs = [stream(seed, 0, zlib.crc32(name.encode()), INITIAL) for name in names]
    # what is cast changes every step
    with torch.autocast(images.device.type, torch.bfloat16, enabled=halved, cache_enabled=False):
        inverted = inverter.invert(space, images, rngs, keeper)
    seconds = (keeper.spent + time.perf_counter() - start) / len(names)
    steps = sum(len(values) for name, values in inverted.curves.items() if name.endswith("loss"))
    for i, name in enumerate(names):
        own = inversions.tuned_of(space, inverted, i)
        with torch.no_grad():
            made = own.decode(inverted.codes.select(slice(i, i + 1)))
        (scores,) = reconstruction_scores(made, images[i : i + 1], *networks)
        inversions.run.write(f"pictures/{name}.png", encode_png([torch.cat([images[i : i + 1], made])]))
        about = known[i] | common | {"scores": scores | {"seconds": seconds, "steps": steps}}
        inversions.write(name, inverted, i, pixels[i], about)


def invert(config: DictConfig) -> None:
    """Invert the pictures that the folder does not hold yet. Where one cannot be used, the others continue, and it is
    told at the end."""
    if config.run is None:
        if not config.images:
            raise ValueError("images must be a file, a folder, a list or pattern of them, or held_out, got nothing")
        if config.batch_size < 1 or config.count < 1:
            raise ValueError(f"batch_size and count must be at least 1, got {config.batch_size} and {config.count}")
        require_number("keep_every", config.keep_every, above=True)
        if config.precision not in ("32-true", "bf16-mixed"):
            raise ValueError(f"precision must be '32-true' or 'bf16-mixed', got {config.precision!r}")
        config.images = make_absolute(config.images)
        if config.images != "held_out":
            find_pictures(config.images)  # before there is a folder
    run, config = open_run(config, "latent_lab.invert")
    log.info(f"inversion {run.folder}")
    device = choose_device(config.device)
    generator = build_generator(config.gan, config.seed, config.compile)
    inverter = instantiate(config.inverter)
    put_on(device, generator, inverter)
    space, inversions, failed = preferred(generator, inverter, config.space), Inversions(run), {}
    if config.images == "held_out":
        source: Photographs | HeldOut = HeldOut(
            build_data(config.dataset, generator), config.dataset.name, generator, config.count
        )
    else:
        source = Photographs(find_pictures(config.images), generator, config.align, config.faces)
    perceptual, no_perceptual = network_if_here(config.perceptual)
    identity, no_identity = network_if_here(config.dataset.get("identity"))
    identity = identity if isinstance(identity, Predictor) else None  # one that reads codes cannot read a picture
    for name, network, why in (("LPIPS", perceptual, no_perceptual), ("identity", identity, no_identity)):
        if network is not None:
            put_on(device, network)
        elif why:
            log.info(f"{name} is not among the scores: {why}")
    common, names, done = (
        {"space": space.name, "generator": hash_weights(generator)},
        source.list_names(),
        set(inversions.scores()),
    )
    run.require_generator(common["generator"])
    configuration = hashlib.sha256((run.folder / "config.yaml").read_bytes()).hexdigest()
    keeper = Keeper(run, config.get("keep_every", 60), common | {"configuration": configuration})
    # a batch that was stopped while its results were written is inverted again as it was: alone, pictures could have
    # other last bits
    begun = [name for name in keeper.pictures() if name in names]
    if begun and set(begun) <= done:
        keeper.clear()
        begun = []
    left, total = begun + [name for name in names if name not in done and name not in begun], len(names)

    for batch in read_batches(source, left, config.batch_size, failed):
        label = batch.names[0] + (f" and {len(batch.names) - 1} more" if len(batch.names) > 1 else "") + f", of {total}"
        with keeper.batch(batch.names, batch.pixels, lambda steps, name, label=label: track(steps, f"{label}: {name}")):
            halved = config.precision == "bf16-mixed"
            invert_batch(
                inversions, space, inverter, batch, common, config.seed, (perceptual, identity), halved, keeper
            )
        inversions.write_scores(failed)
    scores = inversions.write_scores(failed)
    if scores:
        run.write("overview.png", overview(inversions))
        mean = torch.tensor([row.get("psnr", float("nan")) for row in scores.values()]).nanmean().item()
        log.info(
            f"{len(scores)} of {total} pictures inverted in {space.name}, PSNR {mean:.2f} dB; "
            f"see {run.folder / 'overview.png'}"
        )
    if failed:
        raise ValueError(
            f"{len(failed)} of {total} pictures were left out: "
            + "; ".join(f"{name} ({why})" for name, why in failed.items())
        )
