"""The command ``edit``: samples or photographs, edited along the paths of a run, with the effects of the edits."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from latent_lab.checkpoints import native
from latent_lab.console import escape_text, log
from latent_lab.editing.editor import Editor
from latent_lab.editing.effects import Effects
from latent_lab.editing.sources import open_source
from latent_lab.figures.page import png_bytes
from latent_lab.figures.strips import Strip, draw_sequences, draw_strips, encode_png
from latent_lab.figures.walks import WRITERS, find_ffmpeg
from latent_lab.loading import choose_device, read_run_config
from latent_lab.names import make_file_name, make_file_names
from latent_lab.naming import Edit, read_deviations, resolve_edit
from latent_lab.paths.base import Paths
from latent_lab.progress import track
from latent_lab.runs import Run
from latent_lab.workflows.build import network_if_here
from latent_lab.workflows.correction import build_correction

SHOWN = 16  # pictures of the overview
RANGES = {"steps": (3, 99), "frames": (2, 1000), "fps": (1, 120), "batch_size": (1, 4096)}


def asked_edits(run: Run, paths: Paths, edits: Mapping | None) -> list[Edit]:
    """Return the edits of a configuration, in its order."""
    if not isinstance(edits, Mapping) or not edits:
        raise ValueError(f"edits must be names and strengths such as 'edits={{age: 2, path3: -1}}', got {edits!r}")
    wrong = {
        name: value
        for name, value in edits.items()
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
    }
    if wrong:
        raise ValueError(f"edits must have finite numbers as strengths, got {wrong}")
    return [resolve_edit(run, paths, str(name), float(value)) for name, value in edits.items()]


def require_options(config: DictConfig) -> None:
    """Check options before anything is built."""
    if config.walk is not None and config.walk not in WRITERS:
        raise ValueError(f"walk must be null or one of {list(WRITERS)}, got {config.walk!r}")
    if config.walk == "mp4":
        find_ffmpeg()
    for name, (low, high) in RANGES.items():
        value = config[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name} must be at least {low} and at most {high}, a whole number, got {value!r}")
    if config.steps % 2 == 0:
        raise ValueError(f"steps must be odd, so that the original is in the middle, got {config.steps}")


def new_folder(config: DictConfig, made: DictConfig) -> Run:
    """Create the folder of the results, which must be new."""
    # the run may be a stranger's
    own = (make_file_name(str(made.gan.name)), make_file_name(f"{datetime.now():%Y-%m-%d_%H-%M-%S}-s{made.seed}"))
    folder = Path(config.target or Path("outputs", "edits", *own))
    if config.target is not None and folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"target must be a new folder, got {str(folder)!r}, which holds something")
    result = Run.create(folder, OmegaConf.to_yaml(config, resolve=True), fixed=config.target is not None)
    overrides = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    result.write("command.txt", shlex.join([Path(sys.executable).name, "-m", "latent_lab.edit", *overrides]) + "\n")
    return result


def make_title(edit: Edit) -> str:
    """Return the title of an edit's strip: its name and its amount, marked ``sd`` where that is in standard
    deviations."""
    return f"{escape_text(edit.name)}\n{edit.asked:+.3g}" + (" sd" if edit.calibrated else "")


def latents_bytes(editor: Editor, latents: Tensor, description: Mapping[str, object]) -> bytes:
    """Serialise the edited codes, from which the image is made again, and the codes where the edits started."""
    space, codes = editor.final(latents)
    before = editor.space.generator.convert(editor.codes, editor.space.name, space.name)
    tensors = {"latents": codes.latents, "before": before.latents} | {
        f"given.{name}": value for name, value in codes.given.items()
    }
    return native.to_bytes(tensors, {"format": 1, "space": space.name, **description})


def show(result: Run, name: str, file: str, editor: Editor, config: DictConfig) -> Strip:
    """Write the pictures and the walk of one image, called ``name``, to files called ``file``. Return its row of the
    overview."""
    count = len(editor.edits)
    stages = editor.images(torch.cat([editor.apply(range(done)) for done in range(count + 1)]))
    size = stages.shape[-1]
    labels, columns = ["inversion" if editor.target is not None else "sample"], [*stages]
    if editor.target is not None:
        labels, columns = ["original", *labels], [editor.target[0].cpu(), *columns]
    labels += [("+ " if done else "") + make_title(edit) for done, edit in enumerate(editor.edits)]
    inches = min(max(size / 110, 0.9), 2.4)
    row = Strip(name, torch.stack(columns))
    result.write(f"pictures/{file}.png", png_bytes(draw_sequences([row], labels, inches), 110))
    result.write(f"images/{file}.png", encode_png([stages[-1:]]))
    shares = [2 * i / (config.steps - 1) - 1 for i in range(config.steps)]
    walks = [
        Strip(make_title(edit), editor.images(editor.apply([number], shares)))
        for number, edit in enumerate(editor.edits)
    ]
    figure = draw_strips(walks, shares, "share of the edit", inches)
    result.write(f"walks/{file}.png", png_bytes(figure, 110))
    if config.walk is not None:
        frames = editor.images(editor.apply(range(count), torch.linspace(0, 1, config.frames).tolist()))
        result.write(f"walks/{file}.{config.walk}", WRITERS[config.walk](frames, config.fps))
    return row


@torch.no_grad()
def edit(config: DictConfig) -> None:
    """Edit every picture of the source, and write latents, images, strips, walks and ``edits.json`` to a new folder."""
    require_options(config)
    options = OmegaConf.to_container(config, resolve=True)
    run = Run.open(config.run, config.weights)
    made = OmegaConf.create(read_run_config(run))
    source, paths, metadata = open_source(options["source"], options["images"], run)
    edits = asked_edits(run, paths, options["edits"])
    for part in edits:
        if part.warning:
            log.warning(part.warning)
    device = choose_device(config.device)
    source.space.to(device)
    paths.to(device)
    correct = build_correction(options["correction"], source, made, device)
    predictors, notes = [], []
    for part in ("attributes", "identity"):
        network, why = network_if_here(made.dataset.get(part))
        predictors.append(network if network is None else network.to(device))
        if network is None:
            notes.append(f"{part} not measured: {why}")
    effects = Effects(read_deviations(run), *predictors)

    def editor_of(name: str) -> Editor:
        picture = source.open_picture(name)
        return Editor(picture, paths, metadata["space"], edits, options["layers"], correct, config.batch_size)

    editor_of(source.names[0])  # what cannot be edited is said before a folder is made
    result = new_folder(config, made)
    log.info(f"edits {result.folder}")
    files = make_file_names(source.names)
    found: dict[str, dict] = {}
    rows: list[Strip] = []
    for name in track(source.names, "edit"):
        editor = editor_of(name)
        found[name] = effects.measure(editor)
        if config.prove_order and len(edits) > 1:
            found[name]["order"] = editor.prove_order()
        description = {
            "generator": metadata["generator"],
            "run": str(run.folder),
            "edits": [part._asdict() for part in edits],
            "picture": name,
        }
        result.write(
            f"latents/{files[name]}.safetensors", latents_bytes(editor, editor.apply(range(len(edits))), description)
        )
        rows.append(show(result, name, files[name], editor, config))
        log.info(f"{name}: {effects.describe(found[name], edits)}")
    labels = [("+ " if done else "") + make_title(part) for done, part in enumerate(edits)]
    labels = ["original"] * (len(rows[0].images) - len(labels) - 1) + [
        "inversion" if len(rows[0].images) > len(labels) + 1 else "sample",
        *labels,
    ]
    result.write("overview.png", png_bytes(draw_sequences(rows[:SHOWN], labels, 0.9), 110))
    summary = {
        "run": str(run.folder),
        "source": options["source"],
        "edits": [part._asdict() for part in edits],
        "notes": notes,
        "pictures": found,
    }
    result.write("edits.json", json.dumps(summary, indent=1))
    log.info(f"pictures {result.folder}/overview.png")
