"""Whether two versions of latent_lab give the same bits for the same configuration and seed.

    python experiments/same_results/compare.py record CHECKOUT FILE [--keep FOLDER] [--only NAME ...]
    python experiments/same_results/compare.py compare BEFORE AFTER [--tolerance 0] [--kinds tensor number picture]

``record`` runs the commands of ``plan.py`` in a checkout of any version (every method and inverter of its ``conf/``,
with budgets of seconds), on one thread of the CPU, and writes a digest of every tensor and picture that they leave
behind, and every number. It takes six minutes on an idle core.
``compare`` prints a row a command and ends with 1 where something failed, is missing or differs by more than the
tolerance. Arrays that differ are read again from the folders that ``record`` kept, so that the table can say by how
much. Configurations, logs, states of training and times are not compared.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import shutil
import struct
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence
from plan import planned
from safetensors.numpy import load_file
from server import start_server

KINDS = ("tensor", "number", "picture")


def write_inputs(made: Path) -> None:
    """Write pictures, digits in MNIST's format and a hierarchy of two regions, all from one seed."""
    rng = np.random.default_rng(0)

    def blobs(*shape: int) -> np.ndarray:
        return rng.integers(0, 256, shape, np.uint8).repeat(7, 1).repeat(7, 2)

    (made / "inputs").mkdir()
    for name, pixels in zip("ab", blobs(2, 5, 5, 3)):
        Image.fromarray(pixels).save(made / "inputs" / f"{name}.png")
    (made / "data" / "mnist").mkdir(parents=True)
    for name, values in (("images-idx3", blobs(1100, 4, 4)), ("labels-idx1", (np.arange(1100) % 10).astype(np.uint8))):
        with gzip.open(made / "data" / "mnist" / f"train-{name}-ubyte.gz", "wb", compresslevel=1) as stream:
            stream.write(struct.pack(f">HBB{values.ndim}i", 0, 8, values.ndim, *values.shape) + values.tobytes())
    (made / "church.json").write_text(json.dumps({"all": "fusion/fusion.safetensors"}))


def numbers(tree: object, name: str) -> dict[str, float]:
    """Return the numbers of a JSON tree by their places. Times are left out."""
    if isinstance(tree, (dict, list)):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        return {key: value for part, branch in items for key, value in numbers(branch, f"{name}/{part}").items()}
    return {name: tree} if isinstance(tree, (int, float)) and "seconds" not in name else {}


def results(folder: Path) -> dict[str, np.ndarray | float]:
    """Return all that a command left in its folder and that is compared, by file and place."""
    found: dict[str, np.ndarray | float] = {}
    for file in sorted(file for file in folder.rglob("*.*") if file.is_file()):
        name = str(file.relative_to(folder))
        if file.suffix == ".safetensors":
            found |= {f"tensor {name}:{key}": value for key, value in load_file(file).items()}
        elif file.suffix == ".npy":
            found[f"tensor {name}"] = np.load(file)
        elif file.suffix in (".png", ".gif"):
            with Image.open(file) as picture:
                frames = [np.array(frame.convert("RGBA")) for frame in ImageSequence.Iterator(picture)]
            found[f"picture {name}"] = np.stack(frames)
        elif file.suffix == ".json" and file.name != "environment.json":
            found |= numbers(json.loads(file.read_text()), f"number {name}:")
    return found


def digest(value: np.ndarray | float) -> str | float:
    """Return the SHA-256 of an array with its type and shape, and a number as it is."""
    if not isinstance(value, np.ndarray):
        return value
    return hashlib.sha256(f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes()).hexdigest()


def record(checkout: Path, file: Path, keep: Path | None, only: list[str]) -> bool:
    """Run what is planned and write what came of it. Returns whether no command failed."""
    checkout, made = checkout.resolve(), (keep or file.with_suffix("")).resolve()
    if not all((checkout / part).is_dir() for part in ("conf", "latent_lab")):
        sys.exit(f"checkout must be a folder with conf/ and latent_lab/, got {checkout}")
    if made.exists():
        sys.exit(f"--keep must be a new folder, got {made}, which exists")
    made.mkdir(parents=True)
    write_inputs(made)
    server, begin, runs = start_server(checkout, made), time.monotonic(), {}
    for name, command, arguments in planned(checkout / "conf"):
        if only and name not in only:
            continue
        folder, log, start = made / name, made / f"{name}.log", time.monotonic()
        if command == "convert":
            folder.mkdir()
        if command == "evaluate":  # on a copy of the run that the name begins with
            shutil.copytree(made / name.split("-")[0], folder)
        arguments = [part.replace("MADE/", f"{made}/").replace("OUT", str(folder)) for part in arguments]
        if command in ("train", "evaluate", "train_encoder", "train_fusion", "pretrain"):
            arguments.append("logger=[]")
        if not any(str(folder) in part for part in arguments):
            arguments.append(f"hydra.run.dir={folder}")
        server.stdin.write(json.dumps([f"latent_lab.{command}", arguments, str(log)]) + "\n")
        failed = server.stdout.readline().strip() != "0"
        lines = log.read_text(errors="replace").strip().splitlines()
        runs[name] = {"failed": lines[-1] if lines else "no output"} if failed else {}
        runs[name] |= {"results": {key: digest(value) for key, value in results(folder).items()}}
        file.write_text(json.dumps({"folder": str(made), "runs": runs}, indent=1))  # each time: it may be stopped
        print(
            f"{name}: {time.monotonic() - start:.1f} s, {len(runs[name]['results'])} results",
            runs[name].get("failed", ""),
            flush=True,
        )
    server.stdin.close()
    server.wait()
    print(f"{len(runs)} commands in {time.monotonic() - begin:.0f} s, results in {file}, folders in {made}")
    return not any("failed" in run for run in runs.values())


def difference(one: np.ndarray | float | None, other: np.ndarray | float | None) -> float:
    """Return the greatest difference over the greatest size; infinite where shapes differ or a folder is gone."""
    if one is None or other is None or np.shape(one) != np.shape(other):
        return float("inf")
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    gap = np.abs(one - other)[(one != other) & ~(np.isnan(one) & np.isnan(other))]
    size = np.abs(one[np.isfinite(one)]).max(initial=1e-300)
    return float(gap.max(initial=0.0) / size) if np.isfinite(gap).all() else float("inf")


def restore(recorded: dict[str, str | float], folder: Path) -> dict[str, np.ndarray | float | None]:
    """Return what was recorded, its arrays read again from the run's folder; None for those that it no longer holds."""
    kept = results(folder)
    held = {key: kept[key] for key, value in recorded.items() if key in kept and digest(kept[key]) == value}
    return {key: held.get(key) if isinstance(value, str) else value for key, value in recorded.items()}


def compare(before: Path, after: Path, tolerance: float, kinds: list[str]) -> bool:
    """Print a row a command. Returns whether nothing failed, is missing or differs by more than the tolerance."""
    sides, good = [json.loads(file.read_text()) for file in (before, after)], True
    print(f"{'command':24} {'same bits':>9} {'differ':>6} {'missing':>7} {'new':>4}  greatest relative difference")
    for name in sides[0]["runs"] | sides[1]["runs"]:
        runs = [side["runs"].get(name, {"results": {}}) for side in sides]
        one, other = ({key: value for key, value in run["results"].items() if key.split()[0] in kinds} for run in runs)
        both, missing, new = one.keys() & other.keys(), one.keys() - other.keys(), other.keys() - one.keys()
        gaps = {key: 0.0 for key in sorted(both) if repr(one[key]) != repr(other[key])}  # of NaN too
        if gaps:
            whole = [restore(part, Path(side["folder"]) / name) for part, side in zip((one, other), sides)]
            gaps = {key: difference(whole[0][key], whole[1][key]) for key in gaps}
        notes = [f"{gap:.1e} {key}" for key, gap in sorted(gaps.items(), key=lambda item: -item[1])[:3]]
        notes += [f"missing {key}" for key in sorted(missing)[:3]]
        notes += [f"failed {when}: {run['failed']}" for when, run in zip(("before", "after"), runs) if "failed" in run]
        failed = any("failed" in run for run in runs)
        good &= not (failed or missing or max(gaps.values(), default=0.0) > tolerance)
        print(f"{name:24} {len(both) - len(gaps):9} {len(gaps):6} {len(missing):7} {len(new):4}  {'; '.join(notes)}")
    print(f"the same within {tolerance:g}" if good else f"not the same within {tolerance:g}")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    recorder = verbs.add_parser("record", help="run the commands of a checkout and write their results")
    recorder.add_argument("checkout", type=Path, help="folder of a version of the project, with conf/ and latent_lab/")
    recorder.add_argument("file", type=Path, help="JSON file that is written")
    recorder.add_argument("--keep", type=Path, help="new folder of all that is written; by default FILE without .json")
    recorder.add_argument("--only", nargs="+", default=[], help="names of commands and those they need; by default all")
    comparer = verbs.add_parser("compare", help="compare two files of record")
    comparer.add_argument("before", type=Path)
    comparer.add_argument("after", type=Path)
    comparer.add_argument("--tolerance", type=float, default=0.0, help="relative difference that is the same")
    comparer.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="what is compared; by default all")
    arguments = parser.parse_args()
    if arguments.verb == "record":
        good = record(arguments.checkout, arguments.file, arguments.keep, arguments.only)
    else:
        good = compare(arguments.before, arguments.after, arguments.tolerance, arguments.kinds)
    sys.exit(not good)


if __name__ == "__main__":
    main()
