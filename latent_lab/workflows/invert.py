"""``invert``: pictures become codes, in a folder that the other commands read."""

from __future__ import annotations

import hashlib
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import latent_lab.cpu_torchvision  # noqa: F401  (before torchmetrics)

import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from rich.progress import track
from torch import Tensor, nn

from latent_lab.attributes.base import Predictor
from latent_lab.attributes.landmarks import DlibLandmarks
from latent_lab.data.alignment import chosen_face, cut, ffhq_square
from latent_lab.data.moves import INITIAL, stream
from latent_lab.data.pictures import find_pictures, read_photograph, square, to_tensor
from latent_lab.gans.base import Generator
from latent_lab.gans.space import LatentSpace
from latent_lab.inversion.base import Inverter
from latent_lab.pictures.strips import mosaic_png
from latent_lab.runs import weight_hash
from latent_lab.workflows.begin import open_run
from latent_lab.workflows.build import build_generator, chosen_device
from latent_lab.workflows.inversions import Inversions
from latent_lab.workflows.reconstruction import network_if_here, reconstruction_scores

ALIGNMENTS = ("none", "ffhq")
SHOWN = 16  # pictures of the overview, and their longest side in pixels
SHOWN_SIDE = 256


class Photographs:
    """Pictures of the user by name, as a generator's images: read when they are asked for.

    Arguments:
        files: The pictures.
        generator: Whose resolution and channels they get.
        align: ``none`` or ``ffhq``.
        faces: Which of several faces, see :func:`chosen_face`.
    """

    def __init__(self, files: dict[str, Path], generator: Generator, align: str, faces: str | int) -> None:
        if align not in ALIGNMENTS:
            raise ValueError(f"align must be one of {ALIGNMENTS}, got {align!r}")
        self.files, self.resolution, self.channels, self.faces = files, generator.resolution, generator.channels, faces
        self.landmarks = DlibLandmarks() if align == "ffhq" else None

    def names(self) -> list[str]:
        return list(self.files)

    def read(self, name: str) -> tuple[Tensor, dict]:
        """The picture, with shape :math:`(C, R, R)`, uint8, and what is known of it. Raises a ValueError where it cannot be used."""
        file = self.files[name]
        image, notes = read_photograph(file)
        if self.landmarks is not None:
            image, said = cut(image, ffhq_square(chosen_face(self.landmarks(image), self.faces)), self.resolution), ["aligned"]
        else:
            image, said = square(image, self.resolution)
        pixels = (to_tensor(image, self.channels) + 1).mul(127.5).round().to(torch.uint8)
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        return pixels, {"picture": file.name, "sha256": sha256, "notes": notes + said}


class HeldOut:
    """The first held-out images of a data set, under numbers.

    Arguments:
        dataset: Its configuration, with ``data``.
        generator: Whose images they must be like.
        count: How many.
    """

    def __init__(self, dataset: DictConfig, generator: Generator, count: int) -> None:
        if not dataset.get("data"):
            raise ValueError(f"images=held_out needs a dataset with images, got dataset={dataset.name}; give images=<file or folder>")
        data = instantiate(dataset.data, resolution=generator.resolution)
        data.prepare_data()
        data.setup()
        images = data.held_out_split()[0][:count]
        if images.shape[1:] != (generator.channels, generator.resolution, generator.resolution):
            raise ValueError(f"images of dataset={dataset.name} must be of {generator.channels} channels, got {tuple(images.shape[1:])}")
        self.images = {f"{dataset.name}-{i:04d}": (image + 1).mul(127.5).round().to(torch.uint8) for i, image in enumerate(images)}

    def names(self) -> list[str]:
        return list(self.images)

    def read(self, name: str) -> tuple[Tensor, dict]:
        sha256 = hashlib.sha256(self.images[name].numpy().tobytes()).hexdigest()
        return self.images[name], {"picture": name, "sha256": sha256, "notes": []}


def preferred(generator: Generator, inverter: Inverter, name: str | None) -> LatentSpace:
    """The space that codes are looked for in."""
    name = next((space for space in inverter.prefers if space in generator.spaces), None) if name is None else name
    return generator.space(name)


def absolute(images: str | Sequence[str]) -> str | list[str]:
    """Places that stay the same when the inversion is continued from another folder."""
    if isinstance(images, str):
        return images if images == "held_out" else str(Path(images).expanduser().absolute())
    return [str(Path(item).expanduser().absolute()) for item in images]


def batches(
    source: Photographs | HeldOut, names: Sequence[str], size: int, failed: dict[str, str]
) -> Iterator[tuple[list[str], Tensor, list]]:
    """The pictures that can be used, some at a time; why the others cannot goes into ``failed``."""
    waiting: list[tuple[str, Tensor, dict]] = []
    for name in names:
        try:
            pixels, about = source.read(name)
        except (ValueError, OSError) as error:
            failed[name] = " ".join(str(error).split())
            print(f"latent_lab: {name} is left out: {failed[name]}", file=sys.stderr)
            continue
        if about["notes"]:
            print(f"latent_lab: {name}: {', '.join(about['notes'])}")
        waiting.append((name, pixels, about))
        if len(waiting) == size:
            yield [one[0] for one in waiting], torch.stack([one[1] for one in waiting]), [one[2] for one in waiting]
            waiting = []
    if waiting:
        yield [one[0] for one in waiting], torch.stack([one[1] for one in waiting]), [one[2] for one in waiting]


def overview(inversions: Inversions) -> bytes:
    """The first pictures above their reconstructions, from their own files."""
    columns = []
    for name in inversions.names()[:SHOWN]:
        with Image.open(inversions.run.folder / "pictures" / f"{name}.png") as picture:
            picture.thumbnail((2 * SHOWN_SIDE, SHOWN_SIDE))
            columns.append(to_tensor(picture, 3))
    halves = torch.stack(columns)
    side = halves.shape[2]
    return mosaic_png([halves[..., :side], halves[..., -side:]])


def invert_batch(
    inversions: Inversions,
    space: LatentSpace,
    inverter: Inverter,
    batch: tuple[list[str], Tensor, list[dict]],
    seed: int,
    networks: tuple[nn.Module | None, nn.Module | None],
    progress: Callable,
) -> None:
    """Inverts some pictures and keeps what was found, with its scores."""
    names, pixels, known = batch
    images = (pixels.float() / 127.5 - 1).to(space.device)
    start = time.perf_counter()
    inverted = inverter.invert(space, images, [stream(seed, 0, zlib.crc32(name.encode()), INITIAL) for name in names], progress)
    seconds = (time.perf_counter() - start) / len(names)
    steps = sum(len(values) for name, values in inverted.curves.items() if name.endswith("loss"))
    for i, name in enumerate(names):
        own = inversions.tuned_of(space, inverted, i)
        with torch.no_grad():
            made = own.decode(inverted.codes.select(slice(i, i + 1)))
        (scores,) = reconstruction_scores(made, images[i : i + 1], *networks)
        inversions.run.write(f"pictures/{name}.png", mosaic_png([torch.cat([images[i : i + 1], made])]))
        about = known[i] | {
            "space": space.name,
            "generator": weight_hash(space.generator),
            "scores": scores | {"seconds": seconds, "steps": steps},
        }
        inversions.write(name, inverted, i, pixels[i], about)


def invert(config: DictConfig) -> None:
    """Inverts the pictures that the folder does not hold yet; where one cannot be used, the others go on, and it is told at the end."""
    if config.run is None:
        if not config.images:
            raise ValueError("images must be a file, a folder, a list or pattern of them, or held_out, got nothing")
        if config.batch_size < 1 or config.count < 1:
            raise ValueError(f"batch_size and count must be at least 1, got {config.batch_size} and {config.count}")
        config.images = absolute(config.images)
        if config.images != "held_out":
            find_pictures(config.images)  # before there is a folder
    run, config = open_run(config, "latent_lab.invert")
    print(f"latent_lab: inversion {run.folder}", flush=True)
    device = chosen_device(config.device)
    generator = build_generator(OmegaConf.to_container(config.gan), get_class(config.gan.generator._target_), config.seed).to(device)
    inverter = instantiate(config.inverter)
    space, inversions, failed = preferred(generator, inverter, config.space), Inversions(run), {}
    if config.images == "held_out":
        source: Photographs | HeldOut = HeldOut(config.dataset, generator, config.count)
    else:
        source = Photographs(find_pictures(config.images), generator, config.align, config.faces)
    (perceptual, no_perceptual), (identity, no_identity) = (
        network_if_here(config.perceptual),
        network_if_here(config.dataset.get("identity")),
    )
    identity = identity if isinstance(identity, Predictor) else None  # one that reads codes cannot read a picture
    for name, network, why in (("LPIPS", perceptual, no_perceptual), ("identity", identity, no_identity)):
        if network is not None:
            network.to(device)
        elif why:
            print(f"latent_lab: {name} is not among the scores: {why}")
    done = set(inversions.names())
    left, total = [name for name in source.names() if name not in done], len(source.names())

    for batch in batches(source, left, config.batch_size, failed):
        label = f"{batch[0][0]}" + (f" and {len(batch[0]) - 1} more" if len(batch[0]) > 1 else "") + f", of {total}"
        invert_batch(
            *(inversions, space, inverter, batch, config.seed, (perceptual, identity)),
            lambda steps, name, label=label: track(steps, f"{label}: {name}", transient=True),
        )
        inversions.write_scores(failed)
    scores = inversions.write_scores(failed)
    if scores:
        run.write("pictures/overview.png", overview(inversions))
        mean = sum(row["psnr"] for row in scores.values() if "psnr" in row) / len(scores)
        print(f"latent_lab: {len(scores)} of {total} pictures inverted in {space.name}, PSNR {mean:.2f} dB; see {run.folder / 'pictures'}")
    if failed:
        raise ValueError(
            f"{len(failed)} of {total} pictures were left out: " + "; ".join(f"{name} ({why})" for name, why in failed.items())
        )
