"""Run folders in which any value was replaced by a hostile one: each ends in one line or works (``make fuzz``: 2,000 of
them)."""

from __future__ import annotations

import copy
import importlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from hydra.core.global_hydra import GlobalHydra
from safetensors import safe_open

from latent_lab import load_run
from latent_lab.checkpoints import native

STORED = Path(__file__).parent.parent / "stored" / "0.1.0"
CASES = int(os.environ.get("LATENT_LAB_FUZZ", 32))
PARTS = 4  # for as many processes
FILES = ("config.yaml", "names.json", "metrics.json", "environment.json", "findings.json", "paths.safetensors")
VALUES = [
    *(None, True, False, -1, 0, 1, 2**31, 10**9, 10**30, -(10**300), 1e300, float("nan"), float("inf"), 0.5, -0.0),
    *(
        "",
        "a",
        ".",
        "..",
        "../../user/x",
        "/dev/zero",
        "~",
        "http://127.0.0.1:9/x",
        "${oc.env:SECRET}",
        "${gan}",
        "???",
        "a\x1b[2Jb",
        "\x00",
    ),
    *("a" * 20_000, "$a_b^$", "=1+1", "*", "random", "held_out", "bf16-mixed", "\ud800"),
    *(
        [],
        {},
        [[]],
        [None],
        {"a": {}},
        [1] * 100_000,
        ["a"] * 50,
        {"_target_": "os.system", "command": "x"},
        {"_target_": "torch.load", "f": "x"},
    ),
    *(
        {"_target_": "latent_lab.runs.write_atomically", "file": "x", "content": "x"},
        {"_target_": "pytorch_lightning.Trainer"},
    ),
    *({"_args_": [1]}, {"_partial_": "yes"}, {"$ref": 1}),
]
FINDINGS = {
    "names": ["smile", "age", "path 2", "path 3"],
    "response": {"a": {"amounts": [-1.0, 0.0, 1.0], "change": [0.0, 0.0, 1.0], "limits": [0, 1]}},
}


def places(tree: object, way: tuple = ()) -> list[tuple]:
    """The way to every value."""
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [way, *(place for key, part in parts for place in places(part, (*way, key)))]


def mutated(tree: object, draw: random.Random) -> object:
    """The tree with one to three values replaced, removed, exchanged or renamed."""
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        *way, last = draw.choice(places(tree)[1:] or [("a",)])
        node = tree
        try:
            for key in way:
                node = node[key]
            if draw.random() < 0.1 and isinstance(node, dict):
                value = node.pop(last)
                if draw.random() < 0.5:
                    node[draw.choice(["a", "_target_", "../x", "url"])] = value
            else:
                node[last] = copy.deepcopy(draw.choice(VALUES))  # a case changes what another has put there
        except (KeyError, IndexError, TypeError):
            continue
    return tree


def mutate(folder: Path, draw: random.Random) -> str:
    """Changes a file of the folder; gives back its name."""
    name = draw.choices(FILES, (8, 2, 2, 1, 1, 2))[0]
    file = folder / name
    if name == "config.yaml":
        text = yaml.safe_dump(mutated(yaml.safe_load(file.read_text()), draw), allow_unicode=draw.random() < 0.5)
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
    elif name == "paths.safetensors":
        with safe_open(file, "pt") as stream:
            metadata = {key: json.loads(value) for key, value in stream.metadata().items()}
            tensors = {key: stream.get_tensor(key) for key in stream.keys()}
        if draw.random() < 0.3:
            tensors = {
                key: value[:, : draw.randrange(1, 8)].clone() if value.ndim > 1 else value
                for key, value in tensors.items()
            }
        metadata = mutated(metadata, draw)
        file.write_bytes(native.to_bytes(tensors, metadata if isinstance(metadata, dict) else {}))
    else:
        tree = json.loads(file.read_text()) if file.exists() else FINDINGS
        file.write_text(json.dumps(mutated(tree, draw)))
    return name


COMMANDS = {
    "load_run": (),
    "compare": ("run={}", "protocol=fast", "target=compared"),
    "edit": ("run={}", "source=0", "edits={{path0: 1, ink: 1}}", "walk=null", "steps=3", "target=edited"),
    "convert": ("run={}", "target=directions.npy"),
    "evaluate": ("run={}", "debug=fast", "evaluation=fast", "evaluation.num_latents=4", "logger=[]"),
    "train": ("run={}",),
    "invert": ("run={}",),
    "pretrain": ("run={}",),
}


class TooLong(BaseException):
    """A command did not end in time."""


def ring(number: int, frame: object) -> None:
    raise TooLong


def run_command(name: str, folder: Path) -> str:
    """What a command says of its end; empty where it works."""
    try:
        if name == "load_run":
            space, paths, _ = load_run(folder)
            codes = space.sample(1, torch.Generator().manual_seed(0))
            space.decode(codes.moved(paths.shift(codes.latents, torch.tensor([0]), torch.ones(1), codes.given)))
        else:
            GlobalHydra.instance().clear()
            sys.argv = [f"latent_lab.{name}", *(argument.format(folder) for argument in COMMANDS[name])]
            importlib.import_module(f"latent_lab.{name}").main()
    except SystemExit as stop:
        return str(stop.code or "")
    except (ValueError, OSError) as error:
        return f"latent_lab: {error}"
    return ""


def state_of(place: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in place.rglob("*") if file.is_file()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(PARTS))
def test_mutated_folders_end_in_one_line_or_work(part, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATENT_LAB_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SECRET", "not for strangers")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr("requests.get", lambda *arguments, **options: pytest.fail(f"fetched {arguments}"))
    monkeypatch.setattr("os.system", lambda command: pytest.fail(f"ran {command}"))
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "x").write_text("the user's")
    user, faults, ends = state_of(tmp_path / "user"), [], {"refused": 0, "worked": 0}
    load_run(STORED)  # what is imported once is no case's
    handler = signal.signal(signal.SIGPROF, ring)
    try:
        for case in range(part, CASES, PARTS):
            draw, folder = random.Random(case), tmp_path / "runs" / "run"
            shutil.rmtree(tmp_path / "runs", ignore_errors=True)
            for name in ("edited", "compared", "outputs"):
                shutil.rmtree(tmp_path / name, ignore_errors=True)
            (tmp_path / "directions.npy").unlink(missing_ok=True)
            shutil.copytree(STORED, folder)
            changed = mutate(folder, draw)
            command = draw.choices([*COMMANDS], (10, 3, 3, 2, 1, 2, 1, 1))[0]
            about, begin = f"case {case}: {command} after a change of {changed}", time.process_time()
            signal.setitimer(signal.ITIMER_PROF, 20)  # seconds of the processor, on a slow machine too
            try:
                said = run_command(command, folder)
            except TooLong:
                if command not in ("evaluate", "train"):  # which may be asked for much that is no harm
                    faults.append(f"{about} did not end")
                continue
            except Exception as error:
                faults.append(f"{about} raised {type(error).__name__}: {str(error)[:200]}")
                continue
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            ends["refused" if said else "worked"] += 1
            if said and (
                not said.startswith("latent_lab: ")
                or "\n" in said
                or "unexpectedly" in said
                or len(said) > 1000
                or "strangers" in said
            ):
                faults.append(f"{about} said {said[:300]!r}")
            if time.process_time() - begin > 10 and command not in ("evaluate", "train"):
                faults.append(f"{about} took {time.process_time() - begin:.0f} s")
            if state_of(tmp_path / "user") != user or (tmp_path / "cache").exists():
                faults.append(f"{about} changed what is the user's")
    finally:
        signal.signal(signal.SIGPROF, handler)
        signal.setitimer(signal.ITIMER_PROF, 0)
    assert not faults, "\n".join(faults)
    assert min(ends.values()) > CASES / PARTS / 20, ends
